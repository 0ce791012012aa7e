// Package thread implements package threadpin: workers and the hop. It also has
// what only internal/pinned, internal/face and overlay need: tasks that their
// caller may leave, branches of a worker, and active waiting for something other
// than a call.
//
// # The protocol of a hop
//
// There are three shared words. Everything else belongs to one side at a time.
//
//	inbox.head   nil        the worker is awake, nothing waits
//	             a task     the worker is awake, or is being woken; tasks wait, newest first
//	             asleep     one mark for each way to sleep: nothing waits
//	             gone       the worker takes no more tasks, for ever
//	task.claim   0, then taken (by the worker) or withdrawn (by the owner): the first decides
//	task.state   over (by the worker, once), asleep (by the owner, before it parks), left (by the owner)
//
// A caller owns its task until it has pushed it. Push replaces head. Whoever replaces a
// mark of sleep must wake the worker, in the way that the mark says: so one does, and only
// one. The worker takes all tasks at once, and is their only reader. A task is the worker's
// from push until over; then it is the owner's, or, if it was submitted or left, it is
// recycled by whichever side comes last.
//
// Why no wake-up of the worker is lost. It sleeps only after it has moved head from nil
// to a mark. A push before that makes the move fail; a push after it sees the mark,
// and wakes. In a channel the wake is a token that stays until it is taken. In the kernel
// the worker sets its word to 1, looks at head again, and has the kernel sleep only if
// the word is still 1; the waker changes head first, and clears the word after that. A
// stale token or wake-up makes the worker look at head once more, and nothing else.
//
// Why no wake-up of a caller is lost. It sleeps only after it has set asleep and has seen
// neither over nor its condition. Whoever clears asleep, or sets over beside it, owes
// exactly one token; a caller who stops waiting takes a token that is owed.
//
// Why quitting is seen. Quit sets quit, and then replaces a mark of sleep. The worker sets
// the mark first and then looks at quit. One of them sees the other.
//
// # How the sides wait
//
// A side waits actively only if that lately paid: the worker for callers who came soon
// after their last call, a caller for short calls and for parts of a call such as the
// next row. There is a permit for each pair of processors. If a goroutine wants the processor,
// the worker gives it up, and the caller lets that one run first. The wait yields the core a few
// times, since the kernel may have queued the other side there. If another process has taken a
// time slice then, waits yield later for 100 ms (patience), and a caller who has to wake the worker
// parks at once unless calls follow closely. After waits for nothing some callers park at once.
//
// If more workers than there are permits get calls that follow each other closely, waking
// a thread for each call would cost several times the calls. So those callers wait in line,
// before they wake their workers, and each worker keeps its permit for a slice of time.
// Who does not use it for some microseconds, or is in a long call, loses it to the next.
//
// A worker sleeps in the kernel, with its processor given away: waking it costs one
// futex call, and it takes an idle processor. If all processors are busy it would
// wait for whole time slices of others. Once such waits have cost more than the kernel
// has spared, for the process as a whole, workers sleep in channels: a caller who wakes such
// a worker and parks hands its own processor on, and after 10 ms of computing lets others have
// it (giveWay). Now and then one worker tries the kernel again, the less often the longer those
// who tried had to wait (starving).
// Elsewhere than on Linux, and in bubbles of testing/synctest, there are channels alone.
package thread
