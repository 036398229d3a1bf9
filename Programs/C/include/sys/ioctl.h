// sys/ioctl.h: requests of ioctl(2) (spec abi.md, section 6 and Martlet's own points).
#pragma once

#include <sys/cdefs.h>
#include <sys/types.h>

#define FIOCLEX 0x20006601UL
#define FIOSSHMLPGCNF 0x80306664UL
#define FIOGSHMLPGCNF 0x40306665UL
#define FIONCLEX 0x20006602UL
#define FIONREAD 0x4004667fUL
#define FIONBIO 0x8004667eUL
#define FIOASYNC 0x8004667dUL
#define FIOSETOWN 0x8004667cUL
#define FIOGETOWN 0x4004667bUL
#define FIONWRITE 0x40046677UL
#define FIONSPACE 0x40046676UL
#define SIOCATMARK 0x40047307UL
#define FIODTYPE 0x4004667aUL
#define D_TTY 4
#define TIOCSCTTY 0x20007461UL
#define TIOCGETD 0x4004741aUL
#define TIOCGETA 0x402c7413UL
#define TIOCGWINSZ 0x40087468UL
#define TIOCOUTQ 0x40047473UL
#define TIOCDRAIN 0x2000745eUL

struct winsize {
  unsigned short ws_row;
  unsigned short ws_col;
  unsigned short ws_xpixel;
  unsigned short ws_ypixel;
};

__BEGIN_DECLS
int ioctl(int, unsigned long, ...);
__END_DECLS
