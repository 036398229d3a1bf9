// sys/reboot.h: reboot(2) (spec abi.md, Martlet's own points).
#pragma once

#include <sys/cdefs.h>

#define RB_AUTOBOOT 0
#define RB_HALT 0x8
#define RB_POWEROFF 0x4000

__BEGIN_DECLS
int reboot(int);
__END_DECLS
