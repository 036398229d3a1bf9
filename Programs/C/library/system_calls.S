# system_calls.S: one entry per system call. Success leaves the carry flag clear; failure sets it, with the error number
# in %rax, which goes to errno while the caller gets -1 (spec abi.md, section 2).

        .macro  entry name, number
        .text
        .globl  \name
        .type   \name, @function
        .p2align 4
\name:
        movl    $\number, %eax
        movq    %rcx, %r10
        syscall
        jc      failed
        retq
        .size   \name, . - \name
        .endm

        .text
        .type   failed, @function
failed:
        movl    %eax, errno_value(%rip)
        movq    $-1, %rax
        movq    $-1, %rdx
        retq
        .size   failed, . - failed

        # syscall(number, ...): the number goes to %rax, the arguments move down by one; the sixth is on the stack.
        .globl  syscall
        .type   syscall, @function
syscall:
        movq    %rdi, %rax
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        movq    %rcx, %rdx
        movq    %r8, %r10
        movq    %r9, %r8
        movq    8(%rsp), %r9
        syscall
        jc      failed
        retq
        .size   syscall, . - syscall

        .globl  __error
        .type   __error, @function
__error:
        leaq    errno_value(%rip), %rax
        retq
        .size   __error, . - __error

        .bss
        .p2align 2
errno_value:
        .long   0

        entry   _exit, 1
        entry   fork, 2
        entry   read, 3
        entry   write, 4
        entry   open, 5
        entry   close, 6
        entry   wait4, 7
        entry   getpid, 20
        entry   setuid, 23
        entry   getuid, 24
        entry   geteuid, 25
        entry   access, 33
        entry   kill, 37
        entry   getppid, 39
        entry   dup, 41
        entry   getegid, 43
        entry   getgid, 47
        entry   ioctl, 54
        entry   reboot, 55
        entry   execve, 59
        entry   umask, 60
        entry   msync, 65
        entry   munmap, 73
        entry   mprotect, 74
        entry   madvise, 75
        entry   mincore, 78
        entry   getgroups, 79
        entry   setgroups, 80
        entry   getpgrp, 81
        entry   setpgid, 82
        entry   getdtablesize, 89
        entry   dup2, 90
        entry   fcntl, 92
        entry   fsync, 95
        entry   fdatasync, 550
        entry   gettimeofday, 116
        entry   getrusage, 117
        entry   readv, 120
        entry   writev, 121
        entry   fchown, 123
        entry   fchmod, 124
        entry   setreuid, 126
        entry   setregid, 127
        entry   setsid, 147
        entry   setgid, 181
        entry   setegid, 182
        entry   seteuid, 183
        entry   freebsd11_fstat, 189
        entry   getrlimit, 194
        entry   setrlimit, 195
        entry   sysctl, 202
        entry   mlock, 203
        entry   munlock, 204
        entry   clock_gettime, 232
        entry   clock_getres, 234
        entry   nanosleep, 240
        entry   minherit, 250
        entry   issetugid, 253
        entry   preadv, 289
        entry   pwritev, 290
        entry   setresuid, 311
        entry   setresgid, 312
        entry   sched_yield, 331
        entry   getresuid, 360
        entry   getresgid, 361
        entry   pread, 475
        entry   pwrite, 476
        entry   mmap, 477
        entry   lseek, 478
        entry   ftruncate, 480
        entry   freebsd12_shm_open, 482
        entry   shm_unlink, 483
        entry   pipe2, 542
        entry   fstat, 551
        entry   getrandom, 563
        entry   __sysctlbyname, 570
        entry   shm_open2, 571
        entry   shm_rename, 572

        .section .note.GNU-stack, "", @progbits
