/* A pool of threads that know nothing of Python: they take jobs, compute, and complete Completions without the GIL.
 *
 *     start(threads)      start the pool
 *     steps(n)            a Completion of the number of steps from n to 1 (Collatz)
 *     stop()              let the threads end; jobs that are waiting are given up
 *     counters()          (jobs computed, jobs skipped because nobody wants the result any more)
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include <ohwait.h>

typedef struct job {
    ohwait_completion *handle;      /* Owned: the job's share */
    uint64_t start;
    struct job *next;
} job;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static job *first, *last;
static bool stopping;
static long computed, skipped;
static pthread_t threads[64];
static int running;

/* ---- the pool's threads: nothing of Python's here ---- */

static int64_t collatz(uint64_t n)
{
    int64_t steps = 0;
    for (; n > 1; steps++) {
        n = n % 2 ? 3 * n + 1 : n / 2;
    }
    return steps;
}

static void finish(job *done, bool wanted)
{
    if (wanted) {
        ohwait_set_int64(done->handle, collatz(done->start));
    }
    ohwait_release(done->handle);
    free(done);
}

static void *work(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&mutex);
    for (;;) {
        while (first == NULL && !stopping) {
            pthread_cond_wait(&changed, &mutex);
        }
        if (stopping) {
            break;
        }
        job *mine = first;
        first = mine->next;
        bool wanted = ohwait_status_of(mine->handle) == OHWAIT_OK;
        *(wanted ? &computed : &skipped) += 1;
        pthread_mutex_unlock(&mutex);
        finish(mine, wanted);
        pthread_mutex_lock(&mutex);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

/* ---- Python's side ---- */

static PyObject *workers_start(PyObject *module, PyObject *args)
{
    int wanted;
    if (!PyArg_ParseTuple(args, "i:start", &wanted)) {
        return NULL;
    }
    if (running > 0 || wanted < 1 || wanted > 64) {
        PyErr_SetString(PyExc_ValueError, "start(threads): once, with 1 to 64 threads");
        return NULL;
    }
    stopping = false;
    while (running < wanted && pthread_create(&threads[running], NULL, work, NULL) == 0) {
        running++;
    }
    return PyLong_FromLong(running);
}

static PyObject *workers_steps(PyObject *module, PyObject *args)
{
    unsigned long long start;
    PyObject *completion;
    if (!PyArg_ParseTuple(args, "K:steps", &start)) {
        return NULL;
    }
    job *made = malloc(sizeof(*made));
    if (made == NULL) {
        return PyErr_NoMemory();
    }
    *made = (job){.handle = ohwait_create(&completion), .start = start};
    if (made->handle == NULL) {
        free(made);
        return NULL;
    }
    pthread_mutex_lock(&mutex);     /* Held for moments only, and never by one who wants the GIL. */
    if (first == NULL) {
        first = made;
        pthread_cond_signal(&changed);
    }
    else {
        last->next = made;
        pthread_cond_signal(&changed);
    }
    last = made;
    pthread_mutex_unlock(&mutex);
    return completion;
}

static PyObject *workers_stop(PyObject *module, PyObject *none)
{
    pthread_mutex_lock(&mutex);
    stopping = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    Py_BEGIN_ALLOW_THREADS
    while (running > 0) {
        pthread_join(threads[--running], NULL);
    }
    Py_END_ALLOW_THREADS
    while (first != NULL) {
        job *left = first;
        first = left->next;
        finish(left, false);    /* Its Completion fails: CompletionAbandoned. */
    }
    Py_RETURN_NONE;
}

static PyObject *workers_counters(PyObject *module, PyObject *none)
{
    pthread_mutex_lock(&mutex);
    long counts[] = {computed, skipped};
    pthread_mutex_unlock(&mutex);
    return Py_BuildValue("ll", counts[0], counts[1]);
}

static PyMethodDef functions[] = {
    {"start", workers_start, METH_VARARGS, "start(threads, /): start the pool; how many threads there are."},
    {"steps", workers_steps, METH_VARARGS, "steps(n, /): a Completion of the steps from n to 1."},
    {"stop", workers_stop, METH_NOARGS, "stop(): end the threads, and give up the jobs that are waiting."},
    {"counters", workers_counters, METH_NOARGS, "counters(): jobs computed, and skipped as nobody wanted the result."},
    {NULL},
};

static int execute(PyObject *module) { return ohwait_import(); }

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)execute}, {0, NULL}};
static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "workers",
    .m_doc = "Threads that know nothing of Python complete ohwait's Completions.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_workers(void) { return PyModuleDef_Init(&definition); }
