/* x86-64 Linux, System V ABI (the psABI supplement names the figures quoted). */
#ifndef OHWAIT_STACK_X86_64_H
#define OHWAIT_STACK_X86_64_H

#define OHW_ARCH_DISGUISES 1            /* a return address may be exchanged for the landing pad's (decline.c) */
#define OHW_ARCH_SAVED 6                /* rbx rbp r12 r13 r14 r15, in this order everywhere */

/* ---- unwinding: columns of DWARF's tables (figure 3.36) ---- */

#define OHW_ARCH_READS_CODE             /* x86_64_code.c */
#define OHW_DWARF_SAVED {3, 6, 12, 13, 14, 15}
#define OHW_DWARF_SP 7
#define OHW_DWARF_PC 16
#define OHW_DWARF_RETURN 16             /* a column of its own: the return address is in no register */
#define OHW_ARCH_LINK (-1)              /* no callee-saved register holds it */

static inline uintptr_t ohw_arch_strip(uintptr_t return_address)
{
    return return_address;              /* never signed */
}

static inline uintptr_t ohw_arch_sign(uintptr_t return_address, uintptr_t cfa)
{
    (void)cfa;
    return return_address;
}

/* ---- what ohw_arch_save leaves on the stack ---- */

typedef struct {
    uint32_t mxcsr;
    uint32_t x87_control;               /* 16 bits of it */
    uintptr_t saved[OHW_ARCH_SAVED];
    uintptr_t pc;                       /* return address; the stack pointer is right behind it then */
} ohw_place;

/* NULL, or why stacks cannot be exchanged in this process. */
static inline const char *ohw_arch_objection(void)
{
    uintptr_t shadow = 0;
    /* Does nothing where shadow stacks are unknown or off. */
    __asm__ volatile("rdsspq %0" : "+r"(shadow));
    return shadow != 0 ? "this process runs with shadow stacks (CET), which keep return addresses" : NULL;
}

/* ---- assembly ---- */

#define OHW_FUNCTION(name) \
    ".p2align 4\n.globl " name "\n.hidden " name "\n.type " name ", @function\n" name ":\n"
#define OHW_END(name) ".size " name ", .-" name "\n"
#define OHW_PUSH(register) "  push %" register "\n  .cfi_adjust_cfa_offset 8\n  .cfi_rel_offset %" register ", 0\n"
#define OHW_POP(register) "  pop %" register "\n  .cfi_adjust_cfa_offset -8\n  .cfi_restore %" register "\n"
#define OHW_POP_ALL OHW_POP("rbx") OHW_POP("rbp") OHW_POP("r12") OHW_POP("r13") OHW_POP("r14") OHW_POP("r15")
#define OHW_PUSH_ALL OHW_PUSH("r15") OHW_PUSH("r14") OHW_PUSH("r13") OHW_PUSH("r12") OHW_PUSH("rbp") OHW_PUSH("rbx")
/* ohw_arch_probe: load, and afterwards compare, register number `bit`. */
#define OHW_LOAD(register, bit) "  movabs $0x5ca1ab1e0" bit ", %" register "\n"
#define OHW_COMPARE(register, bit) \
    "  movabs $0x5ca1ab1e0" bit ", %rcx\n  cmp %rcx, %" register "\n  setne %cl\n  movzbl %cl, %ecx\n" \
    "  shl $" bit ", %ecx\n  or %rcx, %rax\n"

#define OHW_ARCH_ASSEMBLY \
    ".text\n" \
    OHW_FUNCTION("ohw_arch_capture") \
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
    OHW_END("ohw_arch_capture") \
    OHW_FUNCTION("ohw_arch_save") \
    "  .cfi_startproc\n" \
    OHW_PUSH_ALL \
    "  sub $8, %rsp\n" \
    "  .cfi_adjust_cfa_offset 8\n" \
    "  stmxcsr (%rsp)\n" \
    "  fnstcw 4(%rsp)\n" \
    "  mov %rdi, %rax\n" \
    "  mov %rsp, %rdi\n" \
    "  call *%rax\n" \
    "  add $8, %rsp\n" \
    "  .cfi_adjust_cfa_offset -8\n" \
    OHW_POP_ALL \
    "  ret\n" \
    "  .cfi_endproc\n" \
    OHW_END("ohw_arch_save") \
    OHW_FUNCTION("ohw_arch_return") \
    "  mov %rdi, %rsp\n" \
    "  mov %rsi, %rax\n" \
    "  ldmxcsr (%rsp)\n" \
    "  fldcw 4(%rsp)\n" \
    "  add $8, %rsp\n" \
    "  pop %rbx\n" \
    "  pop %rbp\n" \
    "  pop %r12\n" \
    "  pop %r13\n" \
    "  pop %r14\n" \
    "  pop %r15\n" \
    "  ret\n" \
    OHW_END("ohw_arch_return") \
    OHW_FUNCTION("ohw_arch_leave") \
    "  mov (%rdi), %rdx\n" \
    "  mov 16(%rdi), %rbx\n" \
    "  mov 24(%rdi), %rbp\n" \
    "  mov 32(%rdi), %r12\n" \
    "  mov 40(%rdi), %r13\n" \
    "  mov 48(%rdi), %r14\n" \
    "  mov 56(%rdi), %r15\n" \
    "  mov %rsi, %rax\n" \
    "  mov 8(%rdi), %rsp\n" \
    "  jmp *%rdx\n" \
    OHW_END("ohw_arch_leave") \
    OHW_FUNCTION("ohw_arch_call_below") \
    "  .cfi_startproc\n" \
    "  .cfi_undefined %rip\n" \
    "  cmp %rdi, %rsp\n" \
    "  cmovb %rsp, %rdi\n" \
    "  sub $256, %rdi\n"            /* leaf functions use 128 bytes below */ \
    "  and $-16, %rdi\n" \
    "  mov %rdi, %rsp\n" \
    "  mov %rdx, %rdi\n" \
    "  call *%rsi\n" \
    "  ud2\n" \
    "  .cfi_endproc\n" \
    OHW_END("ohw_arch_call_below") \
    "  .cfi_startproc\n" \
    "  .cfi_undefined %rip\n" \
    "  nop\n"                       /* unwinders look at the byte before a return address */ \
    OHW_FUNCTION("ohw_arch_pad") \
    "  mov %rbx, %rdi\n" \
    "  mov %rax, %rsi\n" \
    "  mov (%rbx), %rsp\n" \
    "  call *8(%rbx)\n" \
    "  ud2\n" \
    "  .cfi_endproc\n" \
    OHW_END("ohw_arch_pad") \
    OHW_FUNCTION("ohw_arch_probe") \
    "  .cfi_startproc\n" \
    OHW_PUSH_ALL \
    "  sub $8, %rsp\n" \
    "  .cfi_adjust_cfa_offset 8\n" \
    "  mov %rdi, %rax\n" \
    "  mov %rsi, %rdi\n" \
    OHW_LOAD("rbx", "0") OHW_LOAD("rbp", "1") OHW_LOAD("r12", "2") OHW_LOAD("r13", "3") OHW_LOAD("r14", "4") \
    OHW_LOAD("r15", "5") \
    "  call *%rax\n" \
    "  xor %eax, %eax\n" \
    OHW_COMPARE("rbx", "0") OHW_COMPARE("rbp", "1") OHW_COMPARE("r12", "2") OHW_COMPARE("r13", "3") \
    OHW_COMPARE("r14", "4") OHW_COMPARE("r15", "5") \
    "  add $8, %rsp\n" \
    "  .cfi_adjust_cfa_offset -8\n" \
    OHW_POP_ALL \
    "  ret\n" \
    "  .cfi_endproc\n" \
    OHW_END("ohw_arch_probe")

#endif
