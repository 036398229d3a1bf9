// What there is of memory and threads altogether (sysctl vm.vmtotal): struct vmtotal of FreeBSD's sys/vmmeter.h.

/// struct vmtotal. Sizes are in pages.
public struct SystemTotals: BitwiseCopyable, Sendable {
  /// t_vm: objects that are mapped, or lie behind such.
  public var virtual: UInt64 = 0
  /// t_avm: those of them that are not only seen through others.
  public var activeVirtual: UInt64 = 0
  /// t_rm: pages of `virtual` in memory.
  public var resident: UInt64 = 0
  /// t_arm
  public var activeResident: UInt64 = 0
  /// t_vmshr: objects that several see through others of their own.
  public var sharedVirtual: UInt64 = 0
  /// t_avmshr
  public var activeSharedVirtual: UInt64 = 0
  /// t_rmshr
  public var sharedResident: UInt64 = 0
  /// t_armshr
  public var activeSharedResident: UInt64 = 0
  /// t_free: free pages.
  public var free: UInt64 = 0
  /// t_rq: threads that run or are ready.
  public var runnable: Int16 = 0
  /// t_dw: threads that wait for what comes by itself, such as a page.
  public var waitingForDevice: Int16 = 0
  /// t_pw: threads that wait for free pages.
  public var waitingForPages: Int16 = 0
  /// t_sl: threads that sleep.
  public var sleeping: Int16 = 0

  /// The size of the structure.
  public static let byteCount = 88

  /// Nothing.
  public init() {}

  /// What is encoded at the front of a buffer.
  public init(_ buffer: Span<UInt8>) {
    virtual = buffer.loadUInt64(at: 0)
    activeVirtual = buffer.loadUInt64(at: 8)
    resident = buffer.loadUInt64(at: 16)
    activeResident = buffer.loadUInt64(at: 24)
    sharedVirtual = buffer.loadUInt64(at: 32)
    activeSharedVirtual = buffer.loadUInt64(at: 40)
    sharedResident = buffer.loadUInt64(at: 48)
    activeSharedResident = buffer.loadUInt64(at: 56)
    free = buffer.loadUInt64(at: 64)
    runnable = Int16(bitPattern: buffer.loadUInt16(at: 72))
    waitingForDevice = Int16(bitPattern: buffer.loadUInt16(at: 74))
    waitingForPages = Int16(bitPattern: buffer.loadUInt16(at: 76))
    sleeping = Int16(bitPattern: buffer.loadUInt16(at: 78))
  }

  /// Encodes it at the front of a buffer. (Nothing is ever swapped out whole: t_sw is 0.)
  public func encode(into buffer: inout [1024 of UInt8]) {
    buffer.store(virtual, at: 0)
    buffer.store(activeVirtual, at: 8)
    buffer.store(resident, at: 16)
    buffer.store(activeResident, at: 24)
    buffer.store(sharedVirtual, at: 32)
    buffer.store(activeSharedVirtual, at: 40)
    buffer.store(sharedResident, at: 48)
    buffer.store(activeSharedResident, at: 56)
    buffer.store(free, at: 64)
    buffer.store(runnable, at: 72)
    buffer.store(waitingForDevice, at: 74)
    buffer.store(waitingForPages, at: 76)
    buffer.store(sleeping, at: 78)
    buffer.store(UInt64(0), at: 80)
  }
}
