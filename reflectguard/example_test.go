package reflectguard_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/sqlaio/sqlaio/reflectguard"
	"github.com/sqlaio/sqlaio/warnings"
)

func ExampleIsReflection() {
	fmt.Println(reflectguard.IsReflection("SELECT name FROM sqlite_master"))
	fmt.Println(reflectguard.IsReflection("SELECT 'FROM sqlite_master'"))
	// Output:
	// true
	// false
}

func ExampleNonBlocking() {
	ctx := reflectguard.NonBlocking(context.Background())
	fmt.Println(reflectguard.IsNonBlocking(ctx))
	fmt.Println(reflectguard.IsNonBlocking(reflectguard.MayBlock(ctx)))
	// Output:
	// true
	// false
}

// A method that waits for asynchronous calls asks first.
func ExampleWait() {
	defer warnings.Filter(warnings.Error)()
	await := func(ctx context.Context) error {
		after, err := reflectguard.Wait(ctx, "Future.Await")
		if err != nil {
			return err
		}
		if after != nil {
			defer after()
		}
		return nil // having waited
	}
	ctx := reflectguard.NonBlocking(context.Background())
	var w *warnings.BlockingWarning
	fmt.Println(errors.As(await(ctx), &w), w.Message)
	fmt.Println(await(reflectguard.MayBlock(ctx)))
	// Output:
	// true a wait blocks in a context where nothing may block
	// <nil>
}
