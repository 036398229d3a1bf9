// The devices of /dev: which there are, who owns them, and what all of them answer.
//
// Invariant: `FileServices.deviceOwnership` has the element of a device at its number.

public import ABI
import Memory
import Primitives

/// A device.
enum Device: Int, CaseIterable {
  case console, null, zero, full, random

  /// The name in /dev.
  var name: String {
    switch self {
    case .console: "console"
    case .null: "null"
    case .zero: "zero"
    case .full: "full"
    case .random: "random"
    }
  }

  /// The device that a name in /dev means; urandom is another name of random.
  init?(name: Span<UInt8>) {
    if name.spells("urandom") {
      self = .random
      return
    }
    // By number, not over `allCases`: that would be an array on the heap.
    var number = 0
    while let device = Device(rawValue: number) {
      if name.spells(device.name) {
        self = device
        return
      }
      number += 1
    }
    return nil
  }

  /// Who owns it at first: the superuser; everybody may use it, but only he stirs what random numbers are made from.
  var initialOwnership: Ownership {
    Ownership(user: 0, group: 0, mode: FileMode(rawValue: self == .random ? 0o644 : 0o666))
  }

  /// What FIODTYPE tells.
  var type: UInt32 { self == .console ? Device.terminalType : 0 }

  /// D_TTY
  private static let terminalType: UInt32 = 4

  /// st_ino and st_rdev: the numbers in the order of the cases.
  var inode: UInt64 { UInt64(rawValue + 1) }
  var represented: UInt64 { 0x300 + UInt64(rawValue) }
}

/// An open device.
public class DeviceFile: OpenFile {
  final let device: Device

  init(_ fileServices: FileServices, _ device: Device, _ flags: FileFlags, isSeekable: Bool) {
    self.device = device
    super.init(BackReference(fileServices), flags, isSeekable: isSeekable)
  }

  /// Nobody is told when something happens to it.
  override func attach(_ filter: EventFilter) throws(Errno) { throw .enodev }

  /// A device.
  public final override var kind: FileKind { .device }

  /// The name in /dev.
  public final override var deviceName: String? { device.name }

  /// A device has no size that could be another one (devfs(5)).
  final override func performTruncate(_ resize: inout Resize) throws(Errno) -> Progress { .complete }

  /// A device has no end either, and its offset may be anything.
  final override func performSeek(_ offset: Int64, _ origin: SeekOrigin) throws(Errno) -> Int64 {
    switch origin {
    case .start, .end: return offset
    case .current: return self.offset &+ offset
    default: throw .einval
    }
  }

  final override func performControl(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) {
    guard request == .deviceType else { return try performDeviceControl(request, &data) }
    var span = data.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    bytes.store(device.type, at: 0)
  }

  /// ioctl(2), after what all devices answer.
  func performDeviceControl(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) { throw .enotty }

  public final override var comparedObject: (type: UInt32, address: UInt) {
    (informationType.rawValue, UInt(device.inode))
  }

  final override func describe(_ information: inout FileInformation, _ path: inout [1024 of UInt8]) -> Int {
    information.setNode(.device, fileServices.status(of: device))
    return put(device.name, into: &path, at: put("/dev/", into: &path))
  }

  /// fstat(2).
  public final override func status() throws(Errno) -> Stat { fileServices.status(of: device) }

  /// Throws EACCES for a protection that the descriptor does not allow, and EINVAL: only /dev/zero can be mapped.
  public override func mapping(_ query: MappingQuery) throws(Errno) -> FileMapping {
    try checkMapping(query)
    throw .einval
  }

  final func checkMapping(_ query: MappingQuery) throws(Errno) {
    if query.protection.contains(.read) && !flags.contains(.read) { throw .eacces }
    if query.sharing == .shared && query.protection.contains(.write) && !flags.contains(.write) { throw .eacces }
  }

  /// fchmod(2).
  public final override func changeMode(_ mode: FileMode, _ caller: Credentials) throws(Errno) {
    try fileServices.changeMode(of: device, mode, caller)
  }

  /// fchown(2).
  public final override func changeOwner(user: UInt32?, group: UInt32?, _ caller: Credentials) throws(Errno) {
    try fileServices.changeOwner(of: device, user: user, group: group, caller)
  }
}

extension FileServices {
  /// What fstat(2) says of a device.
  func status(of device: Device) -> Stat {
    let ownership = deviceOwnership[device.rawValue]
    var stat = Stat()
    stat.device = FileLimits.deviceDirectoryDevice
    stat.inode = device.inode
    stat.linkCount = 1
    stat.mode = ownership.mode.union(.characterDevice)
    stat.userIdentifier = ownership.user
    stat.groupIdentifier = ownership.group
    stat.representedDevice = device.represented
    let start = Timespec(nanoseconds: services.processor.realTimeOffsetNanoseconds)
    stat.accessTime = start
    stat.modificationTime = start
    stat.changeTime = start
    stat.birthTime = start
    stat.preferredBlockByteCount = UInt32(Page.byteCount)
    return stat
  }

  /// The owner or the superuser sets the mode of a device.
  ///
  /// Throws EPERM for everyone else.
  func changeMode(of device: Device, _ mode: FileMode, _ caller: Credentials) throws(Errno) {
    try deviceOwnership[device.rawValue].check(.administer, by: caller)
    deviceOwnership[device.rawValue].mode = mode.intersection(.allPermissions)
  }

  /// The owner gives a device to one of his groups, the superuser to anybody.
  ///
  /// Throws EPERM for everyone else who would change something.
  func changeOwner(of device: Device, user: UInt32?, group: UInt32?, _ caller: Credentials) throws(Errno) {
    let old = deviceOwnership[device.rawValue]
    let newUser = user ?? old.user
    let newGroup = group ?? old.group
    if newUser == old.user && newGroup == old.group { return }
    let isOwners = caller.effectiveUser == old.user && newUser == old.user
    guard caller.isSuperuser || isOwners && (newGroup == old.group || caller.isMember(of: newGroup)) else {
      throw .eperm
    }
    deviceOwnership[device.rawValue].user = newUser
    deviceOwnership[device.rawValue].group = newGroup
  }
}
