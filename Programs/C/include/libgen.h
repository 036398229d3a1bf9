// libgen.h: the parts of a path (locale.c). Both may change the path.
#pragma once

#include <sys/cdefs.h>

__BEGIN_DECLS
char *basename(char *);
char *dirname(char *);
__END_DECLS
