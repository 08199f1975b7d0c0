/* The allocator of data-stack chunks, asked to wait with chunks that are pinned (chunks.h). */
#include "cpython/contract.h"

py_pin_table ohw_pins;

void *ohw_pins_alloc(void *table, size_t bytes)
{
    const py_pin_table *pins = table;
    return pins->below.alloc(pins->below.ctx, bytes);
}

void ohw_pins_free(void *table, void *memory, size_t bytes)
{
    const py_pin_table *pins = table;
    if (pins->count == 0 || !py_defer_free(memory)) {
        pins->below.free(pins->below.ctx, memory, bytes);
    }
}
