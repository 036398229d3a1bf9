// errors.c: error numbers and signals as words, and messages about them (string.h, err.h).

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const texts[ELAST + 1] = {
    [0] = "No error: 0",
    [EPERM] = "Operation not permitted",
    [ENOENT] = "No such file or directory",
    [ESRCH] = "No such process",
    [EINTR] = "Interrupted system call",
    [EIO] = "Input/output error",
    [ENXIO] = "Device not configured",
    [E2BIG] = "Argument list too long",
    [ENOEXEC] = "Exec format error",
    [EBADF] = "Bad file descriptor",
    [ECHILD] = "No child processes",
    [EDEADLK] = "Resource deadlock avoided",
    [ENOMEM] = "Cannot allocate memory",
    [EACCES] = "Permission denied",
    [EFAULT] = "Bad address",
    [ENOTBLK] = "Block device required",
    [EBUSY] = "Device busy",
    [EEXIST] = "File exists",
    [EXDEV] = "Cross-device link",
    [ENODEV] = "Operation not supported by device",
    [ENOTDIR] = "Not a directory",
    [EISDIR] = "Is a directory",
    [EINVAL] = "Invalid argument",
    [ENFILE] = "Too many open files in system",
    [EMFILE] = "Too many open files",
    [ENOTTY] = "Inappropriate ioctl for device",
    [ETXTBSY] = "Text file busy",
    [EFBIG] = "File too large",
    [ENOSPC] = "No space left on device",
    [ESPIPE] = "Illegal seek",
    [EROFS] = "Read-only file system",
    [EMLINK] = "Too many links",
    [EPIPE] = "Broken pipe",
    [EDOM] = "Numerical argument out of domain",
    [ERANGE] = "Result too large",
    [EAGAIN] = "Resource temporarily unavailable",
    [EINPROGRESS] = "Operation now in progress",
    [EALREADY] = "Operation already in progress",
    [ENOTSOCK] = "Socket operation on non-socket",
    [EDESTADDRREQ] = "Destination address required",
    [EMSGSIZE] = "Message too long",
    [EPROTOTYPE] = "Protocol wrong type for socket",
    [ENOPROTOOPT] = "Protocol not available",
    [EPROTONOSUPPORT] = "Protocol not supported",
    [ESOCKTNOSUPPORT] = "Socket type not supported",
    [EOPNOTSUPP] = "Operation not supported",
    [EPFNOSUPPORT] = "Protocol family not supported",
    [EAFNOSUPPORT] = "Address family not supported by protocol family",
    [EADDRINUSE] = "Address already in use",
    [EADDRNOTAVAIL] = "Can't assign requested address",
    [ENETDOWN] = "Network is down",
    [ENETUNREACH] = "Network is unreachable",
    [ENETRESET] = "Network dropped connection on reset",
    [ECONNABORTED] = "Software caused connection abort",
    [ECONNRESET] = "Connection reset by peer",
    [ENOBUFS] = "No buffer space available",
    [EISCONN] = "Socket is already connected",
    [ENOTCONN] = "Socket is not connected",
    [ESHUTDOWN] = "Can't send after socket shutdown",
    [ETOOMANYREFS] = "Too many references: can't splice",
    [ETIMEDOUT] = "Operation timed out",
    [ECONNREFUSED] = "Connection refused",
    [ELOOP] = "Too many levels of symbolic links",
    [ENAMETOOLONG] = "File name too long",
    [EHOSTDOWN] = "Host is down",
    [EHOSTUNREACH] = "No route to host",
    [ENOTEMPTY] = "Directory not empty",
    [EPROCLIM] = "Too many processes",
    [EUSERS] = "Too many users",
    [EDQUOT] = "Disc quota exceeded",
    [ESTALE] = "Stale NFS file handle",
    [EREMOTE] = "Too many levels of remote in path",
    [EBADRPC] = "RPC struct is bad",
    [ERPCMISMATCH] = "RPC version wrong",
    [EPROGUNAVAIL] = "RPC prog. not avail",
    [EPROGMISMATCH] = "Program version wrong",
    [EPROCUNAVAIL] = "Bad procedure for program",
    [ENOLCK] = "No locks available",
    [ENOSYS] = "Function not implemented",
    [EFTYPE] = "Inappropriate file type or format",
    [EAUTH] = "Authentication error",
    [ENEEDAUTH] = "Need authenticator",
    [EIDRM] = "Identifier removed",
    [ENOMSG] = "No message of desired type",
    [EOVERFLOW] = "Value too large to be stored in data type",
    [ECANCELED] = "Operation canceled",
    [EILSEQ] = "Illegal byte sequence",
    [ENOATTR] = "Attribute not found",
    [EDOOFUS] = "Programming error",
    [EBADMSG] = "Bad message",
    [EMULTIHOP] = "Multihop attempted",
    [ENOLINK] = "Link has been severed",
    [EPROTO] = "Protocol error",
    [ENOTCAPABLE] = "Capabilities insufficient",
    [ECAPMODE] = "Not permitted in capability mode",
    [ENOTRECOVERABLE] = "State not recoverable",
    [EOWNERDEAD] = "Previous owner died",
    [EINTEGRITY] = "Integrity check failed",
};

static const char *const signals[] = {
    [0] = "Signal 0",
    [SIGHUP] = "Hangup",
    [SIGINT] = "Interrupt",
    [SIGQUIT] = "Quit",
    [SIGILL] = "Illegal instruction",
    [SIGTRAP] = "Trace/BPT trap",
    [SIGABRT] = "Abort trap",
    [SIGEMT] = "EMT trap",
    [SIGFPE] = "Floating point exception",
    [SIGKILL] = "Killed",
    [SIGBUS] = "Bus error",
    [SIGSEGV] = "Segmentation fault",
    [SIGSYS] = "Bad system call",
    [SIGPIPE] = "Broken pipe",
    [SIGALRM] = "Alarm clock",
    [SIGTERM] = "Terminated",
    [SIGURG] = "Urgent I/O condition",
    [SIGSTOP] = "Suspended (signal)",
    [SIGTSTP] = "Suspended",
    [SIGCONT] = "Continued",
    [SIGCHLD] = "Child exited",
    [SIGTTIN] = "Stopped (tty input)",
    [SIGTTOU] = "Stopped (tty output)",
    [SIGIO] = "I/O possible",
    [SIGXCPU] = "Cputime limit exceeded",
    [SIGXFSZ] = "Filesize limit exceeded",
    [SIGVTALRM] = "Virtual timer expired",
    [SIGPROF] = "Profiling timer expired",
    [SIGWINCH] = "Window size changes",
    [SIGINFO] = "Information request",
    [SIGUSR1] = "User defined signal 1",
    [SIGUSR2] = "User defined signal 2",
    [SIGTHR] = "Unknown signal: 32",
    [SIGLIBRT] = "Unknown signal: 33",
};

// MARK: Texts

int strerror_r(int number, char *text, size_t size) {
  bool is_known = number >= 0 && number <= ELAST;
  int length = is_known ? snprintf(text, size, "%s", texts[number]) : snprintf(text, size, "Unknown error: %d", number);
  return !is_known ? EINVAL : (size_t)length >= size ? ERANGE : 0;
}

char *strerror(int number) {
  static char text[64];
  if (strerror_r(number, text, sizeof text) == EINVAL) errno = EINVAL;
  return text;
}

char *strsignal(int number) {
  static char text[64];
  bool is_known = number >= 0 && number < (int)(sizeof signals / sizeof signals[0]);
  if (is_known) snprintf(text, sizeof text, "%s", signals[number]);
  else snprintf(text, sizeof text, "Unknown signal: %d", number);
  return text;
}

void perror(const char *what) {
  char text[64];
  strerror_r(errno, text, sizeof text);
  fprintf(stderr, "%s%s%s\n", what && *what ? what : "", what && *what ? ": " : "", text);
}

// MARK: Messages of programs

// PROGRAM: MESSAGE, and the text of an error behind it unless that is negative.
static void say(int error, const char *text, va_list arguments) {
  flockfile(stderr);
  fprintf(stderr, "%s: ", getprogname());
  if (text) vfprintf(stderr, text, arguments);
  if (error >= 0) {
    char words[64];
    strerror_r(error, words, sizeof words);
    fprintf(stderr, "%s%s", text ? ": " : "", words);
  }
  fprintf(stderr, "\n");
  funlockfile(stderr);
}

void vwarnc(int error, const char *text, va_list arguments) { say(error, text, arguments); }
void vwarn(const char *text, va_list arguments) { say(errno, text, arguments); }
void vwarnx(const char *text, va_list arguments) { say(-1, text, arguments); }

void verrc(int status, int error, const char *text, va_list arguments) {
  say(error, text, arguments);
  exit(status);
}
void verr(int status, const char *text, va_list arguments) { verrc(status, errno, text, arguments); }
void verrx(int status, const char *text, va_list arguments) { verrc(status, -1, text, arguments); }

#define WITH_ARGUMENTS(...)   \
  va_list arguments;          \
  va_start(arguments, text);  \
  __VA_ARGS__;                \
  va_end(arguments)

void warn(const char *text, ...) { WITH_ARGUMENTS(vwarn(text, arguments)); }
void warnc(int error, const char *text, ...) { WITH_ARGUMENTS(vwarnc(error, text, arguments)); }
void warnx(const char *text, ...) { WITH_ARGUMENTS(vwarnx(text, arguments)); }
void err(int status, const char *text, ...) { WITH_ARGUMENTS(verr(status, text, arguments)); }
void errc(int status, int error, const char *text, ...) { WITH_ARGUMENTS(verrc(status, error, text, arguments)); }
void errx(int status, const char *text, ...) { WITH_ARGUMENTS(verrx(status, text, arguments)); }
