/* What the module offers about the stack path. */
#ifndef OHWAIT_STACK_FUNCTIONS_H
#define OHWAIT_STACK_FUNCTIONS_H

#include "chain.h"

/* Adds the functions; -1 with an exception. */
int ohw_stack_add_functions(PyObject *module);

#endif
