// elf.h: what a program finds behind its environment at start (spec abi.md, section 13).
#pragma once

#include <sys/types.h>

typedef struct {
  uint64_t a_type;
  union {
    uint64_t a_val;
    void *a_ptr;
  } a_un;
} Elf64_Auxinfo;

typedef struct {
  uint32_t p_type;
  uint32_t p_flags;
  uint64_t p_offset;
  uint64_t p_vaddr;
  uint64_t p_paddr;
  uint64_t p_filesz;
  uint64_t p_memsz;
  uint64_t p_align;
} Elf64_Phdr;

#define PT_LOAD 1
#define PT_TLS 7
#define AT_NULL 0
#define AT_EXECFD 2
#define AT_PHDR 3
#define AT_PHENT 4
#define AT_PHNUM 5
#define AT_PAGESZ 6
#define AT_BASE 7
#define AT_FLAGS 8
#define AT_ENTRY 9
#define AT_EXECPATH 15
#define AT_CANARY 16
#define AT_CANARYLEN 17
#define AT_OSRELDATE 18
#define AT_NCPUS 19
#define AT_PAGESIZES 20
#define AT_PAGESIZESLEN 21
#define AT_TIMEKEEP 22
#define AT_STACKPROT 23
#define AT_EHDRFLAGS 24
#define AT_BSDFLAGS 27
#define AT_ARGC 28
#define AT_ARGV 29
#define AT_ENVC 30
#define AT_ENVV 31
#define AT_PS_STRINGS 32
#define AT_USRSTACKBASE 35
#define AT_USRSTACKLIM 36

struct ps_strings {
  char **ps_argvstr;
  uint32_t ps_nargvstr;
  char **ps_envstr;
  uint32_t ps_nenvstr;
};
