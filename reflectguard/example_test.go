package reflectguard_test

import (
	"context"
	"fmt"

	"github.com/sqlaio/sqlaio/reflectguard"
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
