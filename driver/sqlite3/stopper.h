// What SQLite calls while it works, to learn whether it is to stop.

#include <stdlib.h>
#include <string.h>

#include "alarm.h"

// go-sqlite3 links SQLite into the program but exports no Go functions for
// these. The declarations are weak so that the package also links with a
// build of go-sqlite3 whose SQLite comes in later, as a shared library.
typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;
typedef struct sqlite3_mutex sqlite3_mutex;

#define WEAK __attribute__((weak))
void sqlite3_progress_handler(sqlite3 *, int, int (*)(void *), void *) WEAK;
int sqlite3_busy_handler(sqlite3 *, int (*)(void *, int), void *) WEAK;
int sqlite3_busy_timeout(sqlite3 *, int) WEAK;
int sqlite3_get_autocommit(sqlite3 *) WEAK;
int sqlite3_db_status(sqlite3 *, int, int *, int *, int) WEAK;
const char *sqlite3_db_filename(sqlite3 *, const char *) WEAK;
int sqlite3_file_control(sqlite3 *, const char *, int, void *) WEAK;
void sqlite3_free(void *) WEAK;
sqlite3_mutex *sqlite3_db_mutex(sqlite3 *) WEAK;
int sqlite3_mutex_try(sqlite3_mutex *) WEAK;
void sqlite3_mutex_leave(sqlite3_mutex *) WEAK;
int sqlite3_prepare_v2(sqlite3 *, const char *, int, sqlite3_stmt **, const char **) WEAK;
int sqlite3_step(sqlite3_stmt *) WEAK;
int sqlite3_column_int(sqlite3_stmt *, int) WEAK;
int sqlite3_finalize(sqlite3_stmt *) WEAK;
sqlite3_stmt *sqlite3_next_stmt(sqlite3 *, sqlite3_stmt *) WEAK;
int sqlite3_stmt_busy(sqlite3_stmt *) WEAK;
int sqlite3_stmt_status(sqlite3_stmt *, int, int) WEAK;
int sqlite3_data_count(sqlite3_stmt *) WEAK;
const char *sqlite3_sql(sqlite3_stmt *) WEAK;

// The values of sqlite3.h, which need not be installed.
enum {
	OK = 0,
	ROW = 100,
	FCNTL_VFSNAME = 12,
	DBSTATUS_DEFERRED_FKS = 10,
	STATUS_VM_STEP = 4,
	STATUS_RUN = 6,
};

static int has_sqlite(void) {
	return sqlite3_progress_handler && sqlite3_busy_handler && sqlite3_busy_timeout &&
		sqlite3_get_autocommit && sqlite3_db_filename && sqlite3_file_control && sqlite3_free &&
		sqlite3_db_mutex && sqlite3_mutex_try && sqlite3_mutex_leave &&
		sqlite3_prepare_v2 && sqlite3_step && sqlite3_column_int && sqlite3_finalize &&
		sqlite3_next_stmt && sqlite3_stmt_busy && sqlite3_stmt_status && sqlite3_data_count && sqlite3_sql;
}

// A stopper belongs to one connection.
//
// The flags are set in any thread and cleared by settle, on the connection's:
//
//	stop    the call that runs is to end; also ends its wait for a lock
//	nowait  only its wait for a lock is to end
//	ended   the busy handler has ended a wait because of one of them
//	close   the progress handler is asked at every step
//
// patient, which any thread may set, has waits for a lock end only by those.
//
// The other fields are the connection's thread's alone.
typedef struct {
	alarm_clock alarm; // rings when stop or nowait is set
	int stop, nowait, ended, close, patient;

	sqlite3 *db;
	int timeout; // of the busy handler, in ms; -1 if SQLite's own is in place

	// What the progress handler saw when it was last asked to stop.
	long long steps;
	int open, same;
} stopper;

static int get(int *flag) { return __atomic_load_n(flag, __ATOMIC_ACQUIRE); }
static void set(int *flag, int to) { __atomic_store_n(flag, to, __ATOMIC_RELEASE); }

// can_stop reports whether a statement is in the middle of its work.
//
// SQLite also asks when a statement has just ended, and would report one that
// is committed as interrupted. No function tells which one is running, so it is
// told by what they look like meanwhile:
//
//	busy, no row yet               is running
//	new, no text yet               is being prepared
//	not busy, has a row            has just ended
//	not busy, run, steps uncounted has just ended, and was run only once
//	busy, has a row                is running, or waits for its next step
//
// If only the last kind is there, one of them is running, or else a statement
// that was run before has just ended. Steps are counted whenever SQLite
// returns, so if nothing changes for some thousand steps it is the former.
static int can_stop(stopper *s) {
	int running = 0, open = 0;
	long long steps = 0;
	for (sqlite3_stmt *p = sqlite3_next_stmt(s->db, 0); p; p = sqlite3_next_stmt(s->db, p)) {
		int counted = sqlite3_stmt_status(p, STATUS_VM_STEP, 0);
		int row = sqlite3_data_count(p) > 0;
		steps += counted;
		if (sqlite3_stmt_busy(p)) {
			if (row) open++;
			else running = 1;
		} else if (row || (counted == 0 && sqlite3_stmt_status(p, STATUS_RUN, 0) > 0)) {
			s->same = 0;
			return 0;
		} else if (counted == 0 && sqlite3_sql(p) == 0) {
			running = 1;
		}
	}
	if (running) return 1;
	if (open > 0 && open == s->open && steps == s->steps) return ++s->same >= 8;
	s->open = open;
	s->steps = steps;
	s->same = 0;
	return 0;
}

static int on_progress(void *p) {
	stopper *s = p;
	return get(&s->stop) && can_stop(s);
}

// usual_steps are between two questions. A text of many short statements is
// stopped by asking at every step, for a short one never takes so many.
enum { usual_steps = 1000 };

// on_busy waits as SQLite's own handler does, and ends at once when it is told to.
static int on_busy(void *p, int count) {
	static const int delays[] = {1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100};
	static const int totals[] = {0, 1, 3, 8, 18, 33, 53, 78, 103, 128, 178, 228};
	// A lock that others take again and again is free for moments only.
	enum { last = sizeof delays / sizeof delays[0] - 1, most_patient = 1 };
	stopper *s = p;
	long long delay, prior = 0;
	if (get(&s->patient)) {
		delay = most_patient;
	} else if (count <= last) {
		delay = delays[count];
		prior = totals[count];
	} else {
		delay = delays[last];
		prior = totals[last] + delay * (count - last);
	}
	if (!get(&s->patient) && prior + delay > s->timeout) delay = s->timeout - prior;
	if (delay <= 0) return 0;
	if (wait_for_alarm(&s->alarm, (int)delay)) {
		set(&s->ended, 1);
		return 0;
	}
	return 1;
}

// own_busy_handler puts SQLite's own handler in place, so that the statement
// that follows may ask for its time or set it.
static void own_busy_handler(stopper *s) {
	if (s->timeout < 0) return;
	sqlite3_busy_timeout(s->db, s->timeout);
	s->timeout = -1;
}

// read_busy_timeout returns the time of SQLite's own handler, and -1 if it
// cannot be read. It is 0 while another handler is in place.
static int read_busy_timeout(sqlite3 *db) {
	int ms = -1;
	sqlite3_stmt *p = 0;
	if (sqlite3_prepare_v2(db, "PRAGMA busy_timeout", -1, &p, 0) == OK && sqlite3_step(p) == ROW)
		ms = sqlite3_column_int(p, 0);
	sqlite3_finalize(p);
	return ms;
}

// take_busy_handler puts on_busy in place of SQLite's own handler, with its
// time. There is nothing to replace if there is no time to wait.
static void take_busy_handler(stopper *s) {
	int ms = read_busy_timeout(s->db);
	if (ms <= 0) return;
	s->timeout = ms;
	sqlite3_busy_handler(s->db, on_busy, s);
}

// in_memory reports whether the main database ends with its connections.
static int in_memory(sqlite3 *db) {
	const char *file = sqlite3_db_filename(db, "main");
	if (!file || !*file) return 1;
	char *vfs = 0;
	sqlite3_file_control(db, "main", FCNTL_VFSNAME, &vfs);
	int memdb = vfs && strncmp(vfs, "memdb", 5) == 0; // it says more after that
	sqlite3_free(vfs);
	return memdb;
}

// new_stopper returns NULL if there is no memory.
static stopper *new_stopper(sqlite3 *db) {
	stopper *s = calloc(1, sizeof *s);
	if (!s) return 0;
	if (!init_alarm(&s->alarm)) {
		free(s);
		return 0;
	}
	s->db = db;
	s->timeout = -1;
	sqlite3_progress_handler(db, usual_steps, on_progress, s);
	take_busy_handler(s);
	return s;
}

// free_stopper needs SQLite to be through with the connection.
static void free_stopper(stopper *s) {
	destroy_alarm(&s->alarm);
	free(s);
}

// ask_to_stop and ask_not_to_wait touch nothing of SQLite's.
static void ask_to_stop(stopper *s) {
	set(&s->stop, 1);
	ring(&s->alarm);
}

static void ask_not_to_wait(stopper *s) {
	set(&s->nowait, 1);
	ring(&s->alarm);
}

// ask_closely makes SQLite ask at every step, unless it is at work right now. It
// never blocks: the connection's thread may be in a function of the application's,
// inside SQLite's mutex, and wait for the caller. A connection without a mutex
// is left alone.
static void ask_closely(stopper *s) {
	sqlite3_mutex *m = sqlite3_db_mutex(s->db);
	if (!m || get(&s->close) || sqlite3_mutex_try(m) != OK) return;
	sqlite3_progress_handler(s->db, 1, on_progress, s);
	set(&s->close, 1);
	sqlite3_mutex_leave(m);
}

static void settle(stopper *s, int is_open) {
	silence(&s->alarm);
	set(&s->stop, 0);
	set(&s->nowait, 0);
	set(&s->ended, 0);
	s->same = 0;
	if (get(&s->close)) {
		if (is_open) sqlite3_progress_handler(s->db, usual_steps, on_progress, s);
		set(&s->close, 0);
	}
}
