/* AArch64 Linux (AAPCS64; "DWARF for the Arm 64-bit Architecture" numbers the columns). */

#define OHW_ARCH_SAVED 20               /* x19 to x28, x29 (frame pointer), x30 (link register), d8 to d15 */

/* ---- unwinding ---- */

#define OHW_DWARF_SAVED {19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 72, 73, 74, 75, 76, 77, 78, 79}
#define OHW_DWARF_SP 31
#define OHW_DWARF_PC 32
#define OHW_DWARF_RETURN 30
#define OHW_ARCH_LINK 11                /* x30's index among the callee-saved registers */
#define OHW_ARCH_SIGNS 1                /* return addresses may be signed: DW_CFA_AARCH64_negate_ra_state */

/* A return address without its signature.  The instruction is a hint: processors without signatures skip it. */
static inline uintptr_t ohw_arch_strip(uintptr_t return_address)
{
    register uintptr_t link __asm__("x30") = return_address;
    __asm__("hint 7" : "+r"(link));     /* xpaclri */
    return link;
}

/* ---- assembly ---- */

#define OHW_ARCH_ASSEMBLY \
    ".text\n" \
    ".globl ohw_arch_capture\n" \
    ".hidden ohw_arch_capture\n" \
    ".type ohw_arch_capture, %function\n" \
    "ohw_arch_capture:\n" \
    "  hint 34\n"               /* bti c */ \
    "  mov x1, sp\n" \
    "  stp x30, x1, [x0]\n" \
    "  stp x19, x20, [x0, 16]\n" \
    "  stp x21, x22, [x0, 32]\n" \
    "  stp x23, x24, [x0, 48]\n" \
    "  stp x25, x26, [x0, 64]\n" \
    "  stp x27, x28, [x0, 80]\n" \
    "  stp x29, x30, [x0, 96]\n" \
    "  stp d8, d9, [x0, 112]\n" \
    "  stp d10, d11, [x0, 128]\n" \
    "  stp d12, d13, [x0, 144]\n" \
    "  stp d14, d15, [x0, 160]\n" \
    "  ret\n" \
    ".size ohw_arch_capture, .-ohw_arch_capture\n"
