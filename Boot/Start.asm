; Boot stub: from a multiboot loader's 32-bit hand-over to Swift in 64-bit mode.
;
; Everything in the .boot sections is linked and run at its physical address. Only two facts leave this file: the boot
; record (magic, information address, first time stamp), and a processor in long mode on the kernel stack with the boot
; page tables: the first 4 GiB identity-mapped, and the first GiB again at the image's base. The final page tables replace
; them (Kernel/Machine/KernelPageTables.swift), after which nothing here is used again.
;
; Sources: Multiboot 0.6.96 section 3, Multiboot2 section 3, Intel SDM volume 3 sections 4.5 and 10.8.5.

%include "Boot/Layout.inc"

MULTIBOOT1_MAGIC      equ 0x1BADB002
MULTIBOOT1_FLAGS      equ 0x00000003          ; modules page-aligned, memory information
MULTIBOOT2_MAGIC      equ 0xE85250D6
LOADED_BY_MULTIBOOT1  equ 0x2BADB002
LOADED_BY_MULTIBOOT2  equ 0x36D76289
MINIMUM_UPPER_KIB     equ 24 * 1024           ; below this the kernel and its tables do not fit

CR0_PE_MP_NE_WP       equ 0x00010023
CR0_PG                equ 0x80000000
CR4_PAE               equ 0x00000020
EFER                  equ 0xC0000080
EFER_LME              equ 0x00000100
PAGE_PRESENT_WRITE    equ 0x3
PAGE_LARGE            equ 0x83

SERIAL                equ 0x3F8
DEBUG_EXIT            equ 0xF4
EXIT_PANIC            equ 0x12

section .multiboot
align 8
multiboot1_header:
        dd MULTIBOOT1_MAGIC
        dd MULTIBOOT1_FLAGS
        dd -(MULTIBOOT1_MAGIC + MULTIBOOT1_FLAGS)
align 8
multiboot2_header:
        dd MULTIBOOT2_MAGIC
        dd 0                                  ; i386, protected mode
        dd multiboot2_end - multiboot2_header
        dd -(MULTIBOOT2_MAGIC + (multiboot2_end - multiboot2_header)) & 0xFFFFFFFF
        dw 6, 0                               ; modules page-aligned
        dd 8
        dw 4, 1                               ; the screen: text, if there is one (optional)
        dd 12
        dd 2
        dd 0                                  ; tags begin at multiples of eight
        dw 0, 0                               ; end
        dd 8
multiboot2_end:

section .boot.text
bits 32
global boot_start
boot_start:
        cli
        cld
        mov esp, boot_stack_top
        mov esi, eax
        mov [boot_record.magic], esi
        mov [boot_record.information], ebx

        cmp esi, LOADED_BY_MULTIBOOT1
        je .magic_good
        cmp esi, LOADED_BY_MULTIBOOT2
        mov edi, message_magic
        jne stop
.magic_good:
        call upper_memory_kib
        cmp eax, MINIMUM_UPPER_KIB
        mov edi, message_memory
        jb stop

        pushfd                                ; a processor with CPUID lets the flag ID be changed
        pop ecx
        mov eax, ecx
        xor eax, 1 << 21
        push eax
        popfd
        pushfd
        pop eax
        xor eax, ecx
        test eax, 1 << 21
        mov edi, message_long_mode
        jz stop
        mov eax, 0x80000000
        cpuid
        cmp eax, 0x80000001
        mov edi, message_long_mode
        jb stop
        mov eax, 0x80000001
        cpuid
        mov ecx, extended_features
        call check_features
        mov eax, 1
        cpuid
        mov ecx, basic_features
        call check_features
        rdtsc
        mov [boot_record.time_stamp], eax
        mov [boot_record.time_stamp + 4], edx

        ; Four page directories of 2 MiB pages, for the first 4 GiB.
        mov edi, boot_directories
        mov eax, PAGE_LARGE
        xor edx, edx
        mov ecx, 4 * 512
.fill:
        mov [edi], eax
        mov [edi + 4], edx
        add edi, 8
        add eax, 0x200000
        dec ecx
        jnz .fill
        mov eax, boot_directories + PAGE_PRESENT_WRITE
        mov edi, boot_pointers
        mov ecx, 4
.point:
        mov [edi], eax
        add eax, 0x1000
        add edi, 8
        dec ecx
        jnz .point
        mov dword [boot_root], boot_pointers + PAGE_PRESENT_WRITE
        mov dword [boot_root + IMAGE_ROOT_SLOT * 8], boot_pointers + PAGE_PRESENT_WRITE

        mov eax, cr4
        or eax, CR4_PAE
        mov cr4, eax
        mov eax, boot_root
        mov cr3, eax
        mov ecx, EFER
        rdmsr
        or eax, EFER_LME
        wrmsr
        mov eax, cr0
        and eax, ~0x6000000C                  ; caches on (CD, NW), TS and EM clear
        or eax, CR0_PG | CR0_PE_MP_NE_WP
        mov cr0, eax
        lgdt [boot_descriptor_pointer]
        jmp 8:long_mode

; check_features: stops with the message of the first feature in the list at ecx that edx lacks.
check_features:
        mov eax, [ecx]
        mov edi, [ecx + 4]
        add ecx, 8
        test eax, eax
        jz .all
        test edx, eax
        jnz check_features
        jmp stop
.all:
        ret

; upper_memory_kib: eax = KiB of memory from 1 MiB up, as the loader says; the most there can be if it does not, or if its
; tables are damaged: Swift, which reads them again with more care, says so. Keeps esi, ebx.
upper_memory_kib:
        mov eax, -1
        cmp esi, LOADED_BY_MULTIBOOT2
        je .multiboot2
        test dword [ebx], 1
        jz .done
        mov eax, [ebx + 8]
        ret
.multiboot2:
        mov ecx, [ebx]                        ; the end of the tags
        add ecx, ebx
        jc .done
        lea edx, [ebx + 8]
.tag:
        mov edi, ecx                          ; what is left of them
        sub edi, edx
        jb .done
        cmp edi, 16
        jb .done
        cmp dword [edx], 4                    ; basic memory information
        je .found
        mov ebp, [edx + 4]
        cmp ebp, 8
        jb .done
        cmp ebp, edi
        ja .done
        add ebp, 7
        jc .done
        and ebp, ~7
        add edx, ebp
        jnc .tag
        ret
.found:
        mov eax, [edx + 12]
.done:
        ret

; stop: shows the message at edi on the serial line and on VGA text, leaves QEMU, and halts.
stop:
        mov dx, SERIAL + 3                    ; 115200 baud, 8 bits, no parity
        mov al, 0x80
        out dx, al
        mov dx, SERIAL
        mov al, 1
        out dx, al
        inc dx
        xor eax, eax
        out dx, al
        mov dx, SERIAL + 3
        mov al, 3
        out dx, al
        mov ebx, 0xB8000
.next:
        mov cl, [edi]
        inc edi
        test cl, cl
        jz .shown
        mov dx, SERIAL + 5
        mov ebp, 100000                       ; a machine without this port answers nothing useful for ever
.wait:
        in al, dx
        test al, 0x20
        jnz .ready
        dec ebp
        jnz .wait
.ready:
        mov dx, SERIAL
        mov al, cl
        out dx, al
        cmp cl, 32
        jb .next
        mov ch, 0x4F                          ; white on red
        mov [ebx], cx
        add ebx, 2
        jmp .next
.shown:
        mov dx, DEBUG_EXIT
        mov al, EXIT_PANIC
        out dx, al
.halt:
        hlt
        jmp .halt

bits 64
extern main
extern kernel_stack_top
extern __stack_chk_guard
long_mode:
        xor eax, eax
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov fs, eax
        mov gs, eax
        mov rax, kernel_stack_top
        mov rsp, rax
        xor ebp, ebp                          ; the end of every backtrace
        call seed_stack_guard
        mov rax, main
        call rax
        ud2

; seed_stack_guard: before any compiled code runs, so that no frame sees the value change. From every source there is.
seed_stack_guard:
        mov rsi, [boot_record.time_stamp]
        mov eax, 1
        cpuid
        test ecx, 1 << 30                     ; RDRAND
        jz .seed
        mov edi, 10
.draw:
        rdrand rax
        jc .drawn
        dec edi
        jnz .draw
        jmp .seed
.drawn:
        xor rsi, rax
.seed:
        xor eax, eax
        cpuid
        cmp eax, 7
        jb .mix
        mov eax, 7
        xor ecx, ecx
        cpuid
        test ebx, 1 << 18                     ; RDSEED
        jz .mix
        mov edi, 100
.draw_seed:
        rdseed rax
        jc .drawn_seed
        pause
        dec edi
        jnz .draw_seed
        jmp .mix
.drawn_seed:
        rol rsi, 32
        xor rsi, rax
.mix:
        mov rax, 0x9E3779B97F4A7C15
        imul rsi, rax
        mov rax, rsi
        shr rax, 29
        xor rsi, rax
        xor sil, sil                          ; a zero byte stops string overruns
        mov rax, __stack_chk_guard
        mov [rax], rsi
        ret

section .boot.data
align 8
boot_descriptors:
        dq 0
        dq 0x00AF9A000000FFFF                 ; 64-bit code, ring 0
boot_descriptor_pointer:
        dw 15
        dd boot_descriptors
        dd 0
message_magic:
        db "martlet: not started by a multiboot loader", 13, 10, 0
message_memory:
        db "martlet: too little memory (32 MiB is the least)", 13, 10, 0
message_long_mode:
        db "martlet: this processor has no long mode", 13, 10, 0
message_no_execute:
        db "martlet: this processor has no no-execute bit", 13, 10, 0
message_x87:
        db "martlet: this processor has no floating point unit", 13, 10, 0
message_time_stamp:
        db "martlet: this processor has no time stamp counter (TSC)", 13, 10, 0
message_model_registers:
        db "martlet: this processor has no model-specific registers (MSR)", 13, 10, 0
message_address_extension:
        db "martlet: this processor has no physical address extension (PAE)", 13, 10, 0
message_conditional_move:
        db "martlet: this processor has no conditional moves (CMOV)", 13, 10, 0
message_save:
        db "martlet: this processor has no FXSAVE (FXSR)", 13, 10, 0
message_vector:
        db "martlet: this processor has no SSE", 13, 10, 0
message_vector_2:
        db "martlet: this processor has no SSE2", 13, 10, 0

; What the kernel and every x86-64 program rely on: bits of %edx of CPUID 0x80000001 and 1, and what to say without them.
; SYSCALL is not here: Intel's processors show it in 64-bit mode only (Kernel/Machine/ProcessorFeatures.swift).
align 4
extended_features:
        dd 1 << 29, message_long_mode
        dd 1 << 20, message_no_execute
        dd 0, 0
basic_features:
        dd 1 << 0, message_x87
        dd 1 << 4, message_time_stamp
        dd 1 << 5, message_model_registers
        dd 1 << 6, message_address_extension
        dd 1 << 15, message_conditional_move
        dd 1 << 24, message_save
        dd 1 << 25, message_vector
        dd 1 << 26, message_vector_2
        dd 0, 0

align 8
global boot_record
boot_record:                                  ; struct boot_record of Kernel/Machine/Support/include/Boot.h
.time_stamp:    dq 0
.information:   dq 0
.magic:         dq 0

section .boot.bss nobits
alignb 4096
boot_root:              resb 4096
boot_pointers:          resb 4096
boot_directories:       resb 4 * 4096
boot_stack:             resb 1024
boot_stack_top:
