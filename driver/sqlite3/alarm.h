// An alarm clock wakes one waiting thread early. It is rung from any thread and
// goes on ringing until it is silenced.

#if defined(_WIN32)

#include <windows.h>

typedef struct {
	HANDLE event; // by hand, so that it stays set
} alarm_clock;

static int init_alarm(alarm_clock *a) { return (a->event = CreateEventA(0, TRUE, FALSE, 0)) != 0; }
static void destroy_alarm(alarm_clock *a) { CloseHandle(a->event); }
static void ring(alarm_clock *a) { SetEvent(a->event); }
static void silence(alarm_clock *a) { ResetEvent(a->event); }
static int wait_for_alarm(alarm_clock *a, int ms) { return WaitForSingleObject(a->event, ms) == WAIT_OBJECT_0; }

#else

#include <pthread.h>
#include <time.h>

typedef struct {
	pthread_mutex_t lock;
	pthread_cond_t rung;
	int ringing; // guarded by lock
} alarm_clock;

static int init_alarm(alarm_clock *a) {
	pthread_condattr_t attr;
	a->ringing = 0;
	if (pthread_mutex_init(&a->lock, 0)) return 0;
	if (pthread_condattr_init(&attr)) goto no_attr;
#ifndef __APPLE__
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
#endif
	int failed = pthread_cond_init(&a->rung, &attr);
	pthread_condattr_destroy(&attr);
	if (!failed) return 1;
no_attr:
	pthread_mutex_destroy(&a->lock);
	return 0;
}

static void destroy_alarm(alarm_clock *a) {
	pthread_cond_destroy(&a->rung);
	pthread_mutex_destroy(&a->lock);
}

static void ring(alarm_clock *a) {
	pthread_mutex_lock(&a->lock);
	a->ringing = 1;
	pthread_cond_broadcast(&a->rung);
	pthread_mutex_unlock(&a->lock);
}

static void silence(alarm_clock *a) {
	pthread_mutex_lock(&a->lock);
	a->ringing = 0;
	pthread_mutex_unlock(&a->lock);
}

// until returns the time ms from now by the clock of the condition variable.
static struct timespec until(int ms) {
	struct timespec t;
#ifdef __APPLE__
	clock_gettime(CLOCK_REALTIME, &t);
#else
	clock_gettime(CLOCK_MONOTONIC, &t);
#endif
	t.tv_sec += ms / 1000;
	t.tv_nsec += (ms % 1000) * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

// wait_for_alarm reports whether the alarm rings within ms milliseconds.
static int wait_for_alarm(alarm_clock *a, int ms) {
	struct timespec end = until(ms);
	pthread_mutex_lock(&a->lock);
	while (!a->ringing && pthread_cond_timedwait(&a->rung, &a->lock, &end) == 0) {
	}
	int rung = a->ringing;
	pthread_mutex_unlock(&a->lock);
	return rung;
}

#endif
