#!/bin/sh
# Guess:   under emulation a processor exception comes when the manual says so, with the error code that it says.
# Seen:    QEMU 7.2's TCG, -cpu max, supervisor and user mode of a 32-bit guest:
#          - RDMSR of a register that does not exist gives 0 (manual: #GP);
#          - DIVPS by zero with that exception unmasked in MXCSR sets the flag and goes on (manual: #XM, vector 19);
#          - a page fault for a reserved bit in an entry that is present has error code 8: the reserved bit without the present
#            bit (manual: 9);
#          - a load that is not aligned, in ring 3 with CR0.AM and EFLAGS.AC set, succeeds (manual: #AC, vector 17).
# Matters: a handler that tests the present bit first takes the third for a missing page and maps it for ever; probing for a
#          register by waiting for #GP finds all of them; and none of the other three paths of a kernel can be tested there.
set -eu
version=1:7.2+dfsg-7+deb12u18+b3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
packages=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
  "qemu-system-x86=$version" 2>/dev/null | grep '^[a-z]' \
  | grep -vE '^(libc6|libc-bin|debconf|cdebconf|dpkg|perl.*|libperl.*|ucf|adduser|passwd|qemu-system-x86)$' | grep -v ':i386' || true)
# Names that no package has (they are provided by others) are left out.
known=$(for name in $packages; do apt-cache policy "$name" | grep -q 'Candidate: [^(]' && echo "$name"; done)
apt-get -qq download "qemu-system-x86=$version" nasm=2.16.01-1 binutils-x86-64-linux-gnu=2.40-2 libbinutils=2.40-2 \
  libctf0=2.40-2 libctf-nobfd0=2.40-2 seabios $known 2>/dev/null || { echo "the pinned packages could not be had"; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH="$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu"
qemu=$work/root/usr/bin/qemu-system-x86_64
"$qemu" --version | head -n 1

# The guest: after each test it writes the vector that came (ff: none) and the low byte of the error code (without one: of
# MXCSR, or 0) to the debug console.
cat > guest.asm <<'END'
bits 32
section .text
align 4
dd 0x1BADB002, 0, -0x1BADB002
global _start
_start:
  cli
  mov esp, stack_end
  lgdt [gdt_pointer]
  jmp 0x08:.flat
.flat:
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  ; the address of the task segment goes into its descriptor
  mov eax, tss
  mov [gdt_tss + 2], ax
  shr eax, 16
  mov [gdt_tss + 4], al
  mov [gdt_tss + 7], ah
  mov dword [tss + 4], stack_end
  mov dword [tss + 8], 0x10
  mov ax, 0x28
  ltr ax
  ; 256 gates, all to the stub of their vector
  mov ecx, 0
.gate:
  mov eax, stubs
  lea eax, [eax + ecx * 8]
  lea edi, [idt + ecx * 8]
  mov [edi], ax
  mov word [edi + 2], 0x08
  mov word [edi + 4], 0xEE00
  shr eax, 16
  mov [edi + 6], ax
  inc ecx
  cmp ecx, 64
  jb .gate
  lidt [idt_pointer]

  ; 1: a model specific register that no processor has
  mov dword [resume], .after1
  mov ecx, 0x4FFFFFFF
  rdmsr
  mov ebx, eax
  mov esi, edx
  mov eax, 0xFF
  or ebx, esi
  jz .none1
  mov eax, 0xFE
.none1:
  call put
  mov al, 0
  call put
.after1:

  ; 2: a division by zero in an xmm register, with that exception unmasked
  mov eax, cr0
  and eax, ~4
  or eax, 2
  mov cr0, eax
  mov eax, cr4
  or eax, 0x600
  mov cr4, eax
  mov dword [resume], .after2
  mov dword [control], 0x1D80
  ldmxcsr [control]
  movups xmm0, [ones]
  xorps xmm1, xmm1
  divps xmm0, xmm1
  stmxcsr [control]
  mov al, 0xFF
  call put
  mov al, [control]
  call put
.after2:
  mov dword [control], 0x1F80
  ldmxcsr [control]

  ; 3: a reserved bit (a physical address beyond any width) in an entry that is present; PAE paging
  mov dword [directory_pointers], directory + 1
  mov dword [directory], 0x83               ; 2 MiB for the kernel itself
  mov dword [directory + 8], table + 3      ; the next 2 MiB through a table
  mov dword [table], 0x3
  mov dword [table + 4], 1 << 19            ; bit 51
  mov eax, directory_pointers
  mov cr3, eax
  mov eax, cr4
  or eax, 0x20
  mov cr4, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  mov dword [resume], .after3
  mov eax, [0x200000]
  mov al, 0xFF
  call put
  mov al, 0
  call put
.after3:

  ; 4: a load that is not aligned, in ring 3, with alignment checks on
  mov eax, cr0
  or eax, 0x40000
  and eax, 0x7FFFFFFF
  mov cr0, eax
  mov dword [resume], .after4
  push 0x23
  push user_stack_end
  push 0x40002
  push 0x1B
  push .user
  iret
.user:
  mov ax, 0x23
  mov ds, ax
  mov eax, [ones + 1]
  int 0x30
.after4:
  mov dx, 0xF4
  mov al, 0
  out dx, al
  hlt

put:
  mov dx, 0xE9
  out dx, al
  ret

align 8
stubs:
%assign vector 0
%rep 64
  push dword vector
  jmp near handle
  times 8 - ($ - stubs) % 8 nop
%assign vector vector + 1
%endrep
handle:
  pop eax
  mov bx, 0x10
  mov ds, bx
  mov es, bx
  mov ebx, 0
  cmp eax, 0x30
  jne .exception
  mov eax, 0xFF
  jmp .report
.exception:
  cmp eax, 8
  je .code
  cmp eax, 17
  je .code
  cmp eax, 10
  jb .report
  cmp eax, 14
  ja .report
.code:
  pop ebx
.report:
  call put
  mov al, bl
  call put
  mov esp, stack_end
  push dword [resume]
  mov eax, cr0
  ret

section .data
align 16
ones: dd 1.0, 1.0, 1.0, 1.0, 0, 0
control: dd 0
resume: dd 0
gdt:
  dq 0
  dq 0x00CF9A000000FFFF, 0x00CF92000000FFFF, 0x00CFFA000000FFFF, 0x00CFF2000000FFFF
gdt_tss: dq 0x0000890000000067
gdt_pointer: dw $ - gdt - 1
  dd gdt
idt_pointer: dw 64 * 8 - 1
  dd idt
section .bss
alignb 4096
directory_pointers: resb 4096
directory: resb 4096
table: resb 4096
idt: resb 512
tss: resb 104
resb 4096
stack_end:
resb 4096
user_stack_end:
END
"$work/root/usr/bin/nasm" -f elf32 guest.asm -o guest.o
"$work/root/usr/bin/x86_64-linux-gnu-ld" -m elf_i386 -Ttext 0x100000 -o guest.elf guest.o
timeout 60 "$qemu" -L "$work/root/usr/share/qemu" -L "$work/root/usr/share/seabios" -accel tcg -cpu max -m 32 -nodefaults \
  -display none -no-reboot -chardev file,id=out,path=seen -device isa-debugcon,iobase=0xe9,chardev=out \
  -device isa-debug-exit,iobase=0xf4 -kernel guest.elf || true
seen=$(od -An -tx1 seen | tr -d '\n')
echo "register, division, reserved bit, alignment:$seen"
[ "$seen" = " ff 00 ff 84 0e 08 ff 00" ]
