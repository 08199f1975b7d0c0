/* x86-64, System V ABI (the psABI supplement names the sections quoted). */

#define OHW_ARCH_SAVED 6                /* rbx rbp r12 r13 r14 r15, in this order everywhere */

/* ---- unwinding: columns of DWARF's tables (figure 3.36) ---- */

#define OHW_DWARF_SAVED {3, 6, 12, 13, 14, 15}
#define OHW_DWARF_SP 7
#define OHW_DWARF_PC 16
#define OHW_DWARF_RETURN 16             /* a column of its own: the return address is in no register */
#define OHW_ARCH_LINK (-1)              /* no callee-saved register holds it */

static inline uintptr_t ohw_arch_strip(uintptr_t return_address)
{
    return return_address;              /* never signed */
}

/* ---- assembly ---- */

#define OHW_ARCH_ASSEMBLY \
    ".text\n" \
    ".globl ohw_arch_capture\n" \
    ".hidden ohw_arch_capture\n" \
    ".type ohw_arch_capture, @function\n" \
    "ohw_arch_capture:\n" \
    "  mov (%rsp), %rax\n" \
    "  mov %rax, (%rdi)\n" \
    "  lea 8(%rsp), %rax\n" \
    "  mov %rax, 8(%rdi)\n" \
    "  mov %rbx, 16(%rdi)\n" \
    "  mov %rbp, 24(%rdi)\n" \
    "  mov %r12, 32(%rdi)\n" \
    "  mov %r13, 40(%rdi)\n" \
    "  mov %r14, 48(%rdi)\n" \
    "  mov %r15, 56(%rdi)\n" \
    "  ret\n" \
    ".size ohw_arch_capture, .-ohw_arch_capture\n"
