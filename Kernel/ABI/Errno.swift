// The error numbers of FreeBSD/amd64 (spec abi.md, section 4), as a typed raw value.

/// An error number as a FreeBSD program sees it in `errno`.
///
/// Zero and negative values never occur; kernel-internal results are not errors and have types of their own.
public struct Errno: Error, Equatable, BitwiseCopyable, Sendable {
  /// The number that the program sees.
  public let rawValue: Int32

  /// Wraps a number of spec abi.md, section 4.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }
}

extension Errno {
  /// EPERM
  public static let eperm = Errno(rawValue: 1)
  /// ENOENT
  public static let enoent = Errno(rawValue: 2)
  /// ESRCH
  public static let esrch = Errno(rawValue: 3)
  /// EINTR
  public static let eintr = Errno(rawValue: 4)
  /// EIO
  public static let eio = Errno(rawValue: 5)
  /// ENXIO
  public static let enxio = Errno(rawValue: 6)
  /// E2BIG
  public static let e2big = Errno(rawValue: 7)
  /// ENOEXEC
  public static let enoexec = Errno(rawValue: 8)
  /// EBADF
  public static let ebadf = Errno(rawValue: 9)
  /// ECHILD
  public static let echild = Errno(rawValue: 10)
  /// EDEADLK
  public static let edeadlk = Errno(rawValue: 11)
  /// ENOMEM
  public static let enomem = Errno(rawValue: 12)
  /// EACCES
  public static let eacces = Errno(rawValue: 13)
  /// EFAULT
  public static let efault = Errno(rawValue: 14)
  /// ENOTBLK
  public static let enotblk = Errno(rawValue: 15)
  /// EBUSY
  public static let ebusy = Errno(rawValue: 16)
  /// EEXIST
  public static let eexist = Errno(rawValue: 17)
  /// EXDEV
  public static let exdev = Errno(rawValue: 18)
  /// ENODEV
  public static let enodev = Errno(rawValue: 19)
  /// ENOTDIR
  public static let enotdir = Errno(rawValue: 20)
  /// EISDIR
  public static let eisdir = Errno(rawValue: 21)
  /// EINVAL
  public static let einval = Errno(rawValue: 22)
  /// ENFILE
  public static let enfile = Errno(rawValue: 23)
  /// EMFILE
  public static let emfile = Errno(rawValue: 24)
  /// ENOTTY
  public static let enotty = Errno(rawValue: 25)
  /// ETXTBSY
  public static let etxtbsy = Errno(rawValue: 26)
  /// EFBIG
  public static let efbig = Errno(rawValue: 27)
  /// ENOSPC
  public static let enospc = Errno(rawValue: 28)
  /// ESPIPE
  public static let espipe = Errno(rawValue: 29)
  /// EROFS
  public static let erofs = Errno(rawValue: 30)
  /// EMLINK
  public static let emlink = Errno(rawValue: 31)
  /// EPIPE
  public static let epipe = Errno(rawValue: 32)
  /// EDOM
  public static let edom = Errno(rawValue: 33)
  /// ERANGE
  public static let erange = Errno(rawValue: 34)
  /// EAGAIN
  public static let eagain = Errno(rawValue: 35)
  /// EWOULDBLOCK
  public static let ewouldblock = Errno(rawValue: 35)
  /// EINPROGRESS
  public static let einprogress = Errno(rawValue: 36)
  /// EALREADY
  public static let ealready = Errno(rawValue: 37)
  /// ENOTSOCK
  public static let enotsock = Errno(rawValue: 38)
  /// EDESTADDRREQ
  public static let edestaddrreq = Errno(rawValue: 39)
  /// EMSGSIZE
  public static let emsgsize = Errno(rawValue: 40)
  /// EPROTOTYPE
  public static let eprototype = Errno(rawValue: 41)
  /// ENOPROTOOPT
  public static let enoprotoopt = Errno(rawValue: 42)
  /// EPROTONOSUPPORT
  public static let eprotonosupport = Errno(rawValue: 43)
  /// ESOCKTNOSUPPORT
  public static let esocktnosupport = Errno(rawValue: 44)
  /// EOPNOTSUPP
  public static let eopnotsupp = Errno(rawValue: 45)
  /// ENOTSUP
  public static let enotsup = Errno(rawValue: 45)
  /// EPFNOSUPPORT
  public static let epfnosupport = Errno(rawValue: 46)
  /// EAFNOSUPPORT
  public static let eafnosupport = Errno(rawValue: 47)
  /// EADDRINUSE
  public static let eaddrinuse = Errno(rawValue: 48)
  /// EADDRNOTAVAIL
  public static let eaddrnotavail = Errno(rawValue: 49)
  /// ENETDOWN
  public static let enetdown = Errno(rawValue: 50)
  /// ENETUNREACH
  public static let enetunreach = Errno(rawValue: 51)
  /// ENETRESET
  public static let enetreset = Errno(rawValue: 52)
  /// ECONNABORTED
  public static let econnaborted = Errno(rawValue: 53)
  /// ECONNRESET
  public static let econnreset = Errno(rawValue: 54)
  /// ENOBUFS
  public static let enobufs = Errno(rawValue: 55)
  /// EISCONN
  public static let eisconn = Errno(rawValue: 56)
  /// ENOTCONN
  public static let enotconn = Errno(rawValue: 57)
  /// ESHUTDOWN
  public static let eshutdown = Errno(rawValue: 58)
  /// ETOOMANYREFS
  public static let etoomanyrefs = Errno(rawValue: 59)
  /// ETIMEDOUT
  public static let etimedout = Errno(rawValue: 60)
  /// ECONNREFUSED
  public static let econnrefused = Errno(rawValue: 61)
  /// ELOOP
  public static let eloop = Errno(rawValue: 62)
  /// ENAMETOOLONG
  public static let enametoolong = Errno(rawValue: 63)
  /// EHOSTDOWN
  public static let ehostdown = Errno(rawValue: 64)
  /// EHOSTUNREACH
  public static let ehostunreach = Errno(rawValue: 65)
  /// ENOTEMPTY
  public static let enotempty = Errno(rawValue: 66)
  /// EPROCLIM
  public static let eproclim = Errno(rawValue: 67)
  /// EUSERS
  public static let eusers = Errno(rawValue: 68)
  /// EDQUOT
  public static let edquot = Errno(rawValue: 69)
  /// ESTALE
  public static let estale = Errno(rawValue: 70)
  /// EREMOTE
  public static let eremote = Errno(rawValue: 71)
  /// EBADRPC
  public static let ebadrpc = Errno(rawValue: 72)
  /// ERPCMISMATCH
  public static let erpcmismatch = Errno(rawValue: 73)
  /// EPROGUNAVAIL
  public static let eprogunavail = Errno(rawValue: 74)
  /// EPROGMISMATCH
  public static let eprogmismatch = Errno(rawValue: 75)
  /// EPROCUNAVAIL
  public static let eprocunavail = Errno(rawValue: 76)
  /// ENOLCK
  public static let enolck = Errno(rawValue: 77)
  /// ENOSYS
  public static let enosys = Errno(rawValue: 78)
  /// EFTYPE
  public static let eftype = Errno(rawValue: 79)
  /// EAUTH
  public static let eauth = Errno(rawValue: 80)
  /// ENEEDAUTH
  public static let eneedauth = Errno(rawValue: 81)
  /// EIDRM
  public static let eidrm = Errno(rawValue: 82)
  /// ENOMSG
  public static let enomsg = Errno(rawValue: 83)
  /// EOVERFLOW
  public static let eoverflow = Errno(rawValue: 84)
  /// ECANCELED
  public static let ecanceled = Errno(rawValue: 85)
  /// EILSEQ
  public static let eilseq = Errno(rawValue: 86)
  /// ENOATTR
  public static let enoattr = Errno(rawValue: 87)
  /// EDOOFUS
  public static let edoofus = Errno(rawValue: 88)
  /// EBADMSG
  public static let ebadmsg = Errno(rawValue: 89)
  /// EMULTIHOP
  public static let emultihop = Errno(rawValue: 90)
  /// ENOLINK
  public static let enolink = Errno(rawValue: 91)
  /// EPROTO
  public static let eproto = Errno(rawValue: 92)
  /// ENOTCAPABLE
  public static let enotcapable = Errno(rawValue: 93)
  /// ECAPMODE
  public static let ecapmode = Errno(rawValue: 94)
  /// ENOTRECOVERABLE
  public static let enotrecoverable = Errno(rawValue: 95)
  /// EOWNERDEAD
  public static let eownerdead = Errno(rawValue: 96)
  /// EINTEGRITY
  public static let eintegrity = Errno(rawValue: 97)
}
