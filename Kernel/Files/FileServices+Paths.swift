// From a path to one of the few places that exist: /dev with its devices, /dev/fd/N, /bin/NAME, and the names of sockets in /tmp
// and /var/run.

import ABI
import Primitives

/// What a path leads to.
enum Place {
  case root
  case devices
  /// /dev/fd
  case descriptors
  case programs
  case device(Device)
  /// /dev/tty, the caller's controlling terminal.
  case terminal
  /// What a descriptor of the caller means (fd(4)).
  case descriptor(Int32)
  case program(BootFileContent)
  /// /var
  case variable
  /// A directory in which sockets can be bound.
  case bindable(SocketDirectory)
  /// The name of a socket.
  case node(SocketNode)

  var isDirectory: Bool {
    switch self {
    case .root, .devices, .descriptors, .programs, .variable, .bindable: true
    default: false
    }
  }
}

extension FileServices {
  private static let maximumComponentByteCount = 255

  /// Follows a path from the root, which is also every process' current directory.
  ///
  /// Throws ENOENT, ENOTDIR, ENAMETOOLONG.
  func resolve(_ path: Span<UInt8>) throws(Errno) -> Place {
    guard !path.isEmpty else { throw .enoent }
    var place = Place.root
    var start = 0
    while start < path.count {
      var end = start
      while end < path.count && path[end] != UInt8(ascii: "/") { end += 1 }
      if end > start {
        let name = path.extracting(start..<end)
        place = try enter(name, of: place)
      }
      if end < path.count, !place.isDirectory { throw .enotdir }
      start = end + 1
    }
    return place
  }

  private func enter(_ name: Span<UInt8>, of place: Place) throws(Errno) -> Place {
    guard name.count <= FileServices.maximumComponentByteCount else { throw .enametoolong }
    guard place.isDirectory else { throw .enotdir }
    if name.spells(".") { return place }
    if name.spells("..") {
      switch place {
      case .descriptors: return .devices
      case .bindable(.runtime): return .variable
      default: return .root
      }
    }
    switch place {
    case .root:
      if name.spells("dev") { return .devices }
      if name.spells("bin") { return .programs }
      if name.spells("tmp") { return .bindable(.temporary) }
      if name.spells("var") { return .variable }
    case .variable:
      if name.spells("run") { return .bindable(.runtime) }
    case .bindable(let directory):
      if let node = sockets.names.find(directory, name) { return .node(node) }
    case .devices: return try enterDevices(name)
    case .descriptors:
      if let number = descriptorNumber(name) { return .descriptor(number) }
    case .programs:
      for file in bootFiles where file.isNamed(name) { return .program(file) }
    default: break
    }
    throw .enoent
  }

  private func enterDevices(_ name: Span<UInt8>) throws(Errno) -> Place {
    if let device = Device(name: name) { return .device(device) }
    if name.spells("tty") { return .terminal }
    if name.spells("fd") { return .descriptors }
    if name.spells("stdin") { return .descriptor(0) }
    if name.spells("stdout") { return .descriptor(1) }
    if name.spells("stderr") { return .descriptor(2) }
    throw .enoent
  }

  /// The number that a name in /dev/fd spells: decimal, without zeros in front.
  private func descriptorNumber(_ name: Span<UInt8>) -> Int32? {
    if name[0] == UInt8(ascii: "0") && name.count > 1 { return nil }
    var number: Int32 = 0
    for index in name.indices {
      guard name[index] >= UInt8(ascii: "0"), name[index] <= UInt8(ascii: "9") else { return nil }
      let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
      let (sum, more) = tens.addingReportingOverflow(Int32(name[index] - UInt8(ascii: "0")))
      if overflow || more { return nil }
      number = sum
    }
    return number
  }

  /// Why a file cannot be made at a path that leads nowhere: the root, /bin and /var are read-only, in /dev, /tmp and /var/run no
  /// file can be made, and elsewhere there is no directory.
  func creationError(_ path: Span<UInt8>) -> Errno {
    var end = path.count
    while end > 0 && path[end - 1] != UInt8(ascii: "/") { end -= 1 }
    guard end < path.count else { return .enoent }
    let parent = end == 0 ? Place.root : (try? resolve(path.extracting(0..<end)))
    switch parent {
    case .some(.root), .some(.programs), .some(.variable): return .erofs
    case .some(.devices), .some(.descriptors), .some(.bindable): return .eopnotsupp
    default: return .enoent
    }
  }
}
