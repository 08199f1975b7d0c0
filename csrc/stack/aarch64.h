/* AArch64 Linux (AAPCS64; "DWARF for the Arm 64-bit Architecture" numbers the columns). */
#ifndef OHWAIT_STACK_AARCH64_H
#define OHWAIT_STACK_AARCH64_H

#define OHW_ARCH_DISGUISES 0            /* decline.c in debug builds of CPython: aborted under qemu */
#define OHW_ARCH_SAVED 20               /* x19 to x28, x29 (frame pointer), x30 (link register), d8 to d15 */

/* ---- unwinding ---- */

#define OHW_DWARF_SAVED {19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 72, 73, 74, 75, 76, 77, 78, 79}
#define OHW_DWARF_SP 31
#define OHW_DWARF_PC 32
#define OHW_DWARF_RETURN 30
#define OHW_ARCH_LINK 11                /* x30's index among the callee-saved registers */
#define OHW_ARCH_SIGNS 1                /* return addresses may be signed: DW_CFA_AARCH64_negate_ra_state */

/* The instructions for signatures are hints, which processors without signatures skip. */

/* A return address without its signature. */
static inline uintptr_t ohw_arch_strip(uintptr_t return_address)
{
    register uintptr_t link __asm__("x30") = return_address;
    __asm__("hint 7" : "+r"(link));     /* xpaclri */
    return link;
}

/* As the function that has this return address, and called at `cfa`, has stored it if it signs. */
static inline uintptr_t ohw_arch_sign(uintptr_t return_address, uintptr_t cfa)
{
    register uintptr_t value __asm__("x17") = return_address;
    register uintptr_t modifier __asm__("x16") = cfa;
    __asm__("hint 8" : "+r"(value) : "r"(modifier));    /* pacia1716 */
    return value;
}

/* ---- what ohw_arch_save leaves on the stack ---- */

typedef struct {
    uintptr_t saved[OHW_ARCH_SAVED];
    uintptr_t fpcr;
    uintptr_t pc;                       /* return address; the stack pointer is right behind it then */
} ohw_place;

/* NULL, or why stacks cannot be exchanged in this process. */
static inline const char *ohw_arch_objection(void)
{
    register uintptr_t features __asm__("x16") = 1;
    __asm__ volatile("hint 40" : "+r"(features));       /* chkfeat x16: clears the bits of what is on */
    return features == 0 ? "this process runs with guarded control stacks (GCS), which keep return addresses"
                         : NULL;
}

/* ---- assembly ---- */

/* hint 34 is bti c, needed where functions are called through pointers. */
#define OHW_FUNCTION(name) \
    ".p2align 4\n.globl " name "\n.hidden " name "\n.type " name ", %function\n" name ":\n  hint 34\n"
#define OHW_END(name) ".size " name ", .-" name "\n"

/* All callee-saved registers, to and from what begins `offset` behind `base`. */
#define OHW_EACH_PAIR(operation, base, offset) \
    "  " operation " x19, x20, [" base ", " offset "]\n" \
    "  " operation " x21, x22, [" base ", " offset " + 16]\n" \
    "  " operation " x23, x24, [" base ", " offset " + 32]\n" \
    "  " operation " x25, x26, [" base ", " offset " + 48]\n" \
    "  " operation " x27, x28, [" base ", " offset " + 64]\n" \
    "  " operation " x29, x30, [" base ", " offset " + 80]\n" \
    "  " operation " d8, d9, [" base ", " offset " + 96]\n" \
    "  " operation " d10, d11, [" base ", " offset " + 112]\n" \
    "  " operation " d12, d13, [" base ", " offset " + 128]\n" \
    "  " operation " d14, d15, [" base ", " offset " + 144]\n"

#define OHW_CFI(column, offset) "  .cfi_offset " column ", " offset "\n"
#define OHW_PUSH_ALL \
    "  sub sp, sp, 176\n" \
    "  .cfi_def_cfa_offset 176\n" \
    OHW_EACH_PAIR("stp", "sp", "0") \
    "  str x30, [sp, 168]\n" \
    OHW_CFI("19", "-176") OHW_CFI("20", "-168") OHW_CFI("21", "-160") OHW_CFI("22", "-152") OHW_CFI("23", "-144") \
    OHW_CFI("24", "-136") OHW_CFI("25", "-128") OHW_CFI("26", "-120") OHW_CFI("27", "-112") OHW_CFI("28", "-104") \
    OHW_CFI("29", "-96") OHW_CFI("30", "-8") OHW_CFI("72", "-80") OHW_CFI("73", "-72") OHW_CFI("74", "-64") \
    OHW_CFI("75", "-56") OHW_CFI("76", "-48") OHW_CFI("77", "-40") OHW_CFI("78", "-32") OHW_CFI("79", "-24")
/* Behind OHW_POP_ALL, in a function with tables. */
#define OHW_CFI_POPPED \
    "  .cfi_def_cfa_offset 0\n" \
    "  .cfi_restore 19\n  .cfi_restore 20\n  .cfi_restore 21\n  .cfi_restore 22\n  .cfi_restore 23\n" \
    "  .cfi_restore 24\n  .cfi_restore 25\n  .cfi_restore 26\n  .cfi_restore 27\n  .cfi_restore 28\n" \
    "  .cfi_restore 29\n  .cfi_restore 30\n  .cfi_restore 72\n  .cfi_restore 73\n  .cfi_restore 74\n" \
    "  .cfi_restore 75\n  .cfi_restore 76\n  .cfi_restore 77\n  .cfi_restore 78\n  .cfi_restore 79\n"
#define OHW_POP_ALL \
    OHW_EACH_PAIR("ldp", "sp", "0") \
    "  ldr x30, [sp, 168]\n" \
    "  add sp, sp, 176\n"

/* ohw_arch_probe: load, and afterwards compare, register number `bit`. */
#define OHW_LOAD(register, bit) "  mov " register ", 0x5c00 + " bit "\n  movk " register ", 0xa1b1, lsl 48\n"
#define OHW_COMPARE(register, bit) \
    OHW_LOAD("x9", bit) "  cmp x9, " register "\n  cset x9, ne\n  orr x0, x0, x9, lsl " bit "\n"
#define OHW_LOAD_FLOAT(register, bit) OHW_LOAD("x9", bit) "  fmov " register ", x9\n"
#define OHW_COMPARE_FLOAT(register, bit) "  fmov x10, " register "\n" OHW_COMPARE("x10", bit)
#define OHW_EACH(general, floating) \
    general("x19", "0") general("x20", "1") general("x21", "2") general("x22", "3") general("x23", "4") \
    general("x24", "5") general("x25", "6") general("x26", "7") general("x27", "8") general("x28", "9") \
    general("x29", "10") \
    floating("d8", "12") floating("d9", "13") floating("d10", "14") floating("d11", "15") floating("d12", "16") \
    floating("d13", "17") floating("d14", "18") floating("d15", "19")

#define OHW_ARCH_ASSEMBLY \
    ".text\n" \
    OHW_FUNCTION("ohw_arch_capture") \
    "  mov x1, sp\n" \
    "  stp x30, x1, [x0]\n" \
    OHW_EACH_PAIR("stp", "x0", "16") \
    "  ret\n" \
    OHW_END("ohw_arch_capture") \
    OHW_FUNCTION("ohw_arch_save") \
    "  .cfi_startproc\n" \
    OHW_PUSH_ALL \
    "  mrs x9, fpcr\n" \
    "  str x9, [sp, 160]\n" \
    "  mov x9, x0\n" \
    "  mov x0, sp\n" \
    "  blr x9\n" \
    OHW_POP_ALL \
    OHW_CFI_POPPED \
    "  ret\n" \
    "  .cfi_endproc\n" \
    OHW_END("ohw_arch_save") \
    OHW_FUNCTION("ohw_arch_return") \
    "  mov sp, x0\n" \
    "  mov x0, x1\n" \
    "  ldr x9, [sp, 160]\n" \
    "  msr fpcr, x9\n" \
    OHW_POP_ALL \
    "  ret\n" \
    OHW_END("ohw_arch_return") \
    OHW_FUNCTION("ohw_arch_leave") \
    OHW_EACH_PAIR("ldp", "x0", "16") \
    "  ldp x30, x9, [x0]\n" \
    "  mov sp, x9\n" \
    "  mov x0, x1\n" \
    "  ret\n"                           /* and not br, which may only go to a bti instruction */ \
    OHW_END("ohw_arch_leave") \
    OHW_FUNCTION("ohw_arch_call_below") \
    "  .cfi_startproc\n" \
    "  .cfi_undefined 30\n" \
    "  mov x9, sp\n" \
    "  cmp x0, x9\n" \
    "  csel x9, x0, x9, lo\n" \
    "  sub x9, x9, 256\n" \
    "  and sp, x9, -16\n" \
    "  mov x9, x1\n" \
    "  mov x0, x2\n" \
    "  mov x29, xzr\n" \
    "  blr x9\n" \
    "  brk 0\n" \
    "  .cfi_endproc\n" \
    OHW_END("ohw_arch_call_below") \
    "  .cfi_startproc\n" \
    "  .cfi_undefined 30\n" \
    "  nop\n"                           /* unwinders look at the byte before a return address */ \
    OHW_FUNCTION("ohw_arch_pad") \
    "  mov x1, x0\n" \
    "  mov x0, x19\n" \
    "  ldp x9, x10, [x19]\n" \
    "  mov sp, x9\n" \
    "  blr x10\n" \
    "  brk 0\n" \
    "  .cfi_endproc\n" \
    OHW_END("ohw_arch_pad") \
    OHW_FUNCTION("ohw_arch_probe") \
    "  .cfi_startproc\n" \
    OHW_PUSH_ALL \
    "  mov x11, x0\n" \
    "  mov x0, x1\n" \
    OHW_EACH(OHW_LOAD, OHW_LOAD_FLOAT) \
    "  blr x11\n" \
    "  mov x0, 0\n" \
    OHW_EACH(OHW_COMPARE, OHW_COMPARE_FLOAT) \
    OHW_POP_ALL \
    OHW_CFI_POPPED \
    "  ret\n" \
    "  .cfi_endproc\n" \
    OHW_END("ohw_arch_probe")

#endif
