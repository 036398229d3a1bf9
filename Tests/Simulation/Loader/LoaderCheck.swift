// What must hold whatever bytes a loader left: the kernel refuses, or works with a memory map that gives nothing away twice.

import Handover
import Memory
import Primitives

/// Judges what the kernel makes of tables that may be damaged.
public enum LoaderCheck {
  /// Does what the machine does before the allocator exists. Returns what is wrong, or nil; a trap is wrong too.
  public static func problem(with image: LoaderImage) -> String? {
    do throws(BootRefusal) {
      let information = try image.information()
      if information.modules.count > HandoverLimits.moduleCount { return "too many modules" }
      let options = KernelOptions(information.commandLine, beginsWithFile: information.isLoadedByEmulator)
      if let refusal = options.refusal { throw refusal }
      let map = try MemoryMap(information, image: LoaderDescription.kernel)
      return problem(with: map, information, options)
    } catch {
      return error.reason.utf8CodeUnitCount == 0 ? "a refusal without words" : nil
    }
  }

  private static func problem(
    with map: MemoryMap, _ information: BootInformation, _ options: KernelOptions
  ) -> String? {
    if let problem = order(map.memory) ?? order(map.ranges) { return problem }
    var taken = [FrameRange(start: 0, end: 256), frames(LoaderDescription.kernel)]
    taken += information.modules.filter { !$0.content.isEmpty }.map { frames($0.content) }
    if let problem = separation(map, taken) { return problem }
    for module in information.modules where !module.content.isEmpty {
      let content = frames(module.content)
      guard map.memory.contains(where: { $0.start <= content.start && content.end <= $0.end }) else {
        return "a module outside memory"
      }
    }
    // What the machine takes: page tables below 4 GiB, RAM disks and the table of frames anywhere.
    var rest = map
    var needs: [(UInt64, MemoryMap.Place)] = [(1, .low), (5, .low)]
    for device in options.swapDevices where !device.isCompressed { needs.append((device.byteCount >> 12, .anywhere)) }
    needs.append((UInt64(map.frameCount) / 85 + 1, .anywhere))
    for (count, place) in needs {
      guard let first = rest.take(frameCount: count, place) else { continue }
      let range = FrameRange(start: first.raw, end: first.raw + UInt32(count))
      if place == .low && range.end > 1 << 20 { return "low frames that are not low" }
      guard map.ranges.contains(where: { $0.start <= range.start && range.end <= $0.end }) else {
        return "frames taken that were not free"
      }
      taken.append(range)
      if let problem = separation(rest, taken) ?? order(rest.ranges) { return problem }
    }
    return nil
  }

  private static func frames(_ range: ByteRange) -> FrameRange {
    FrameRange(start: UInt32(range.start >> 12), end: UInt32((range.end + 4095) >> 12))
  }

  private static func order(_ list: [FrameRange]) -> String? {
    var previous: UInt32?
    for range in list {
      if range.start >= range.end { return "an empty range" }
      if let previous, range.start <= previous { return "ranges that touch or are out of order" }
      previous = range.end
    }
    return nil
  }

  private static func separation(_ map: MemoryMap, _ taken: [FrameRange]) -> String? {
    for range in map.ranges {
      if taken.contains(where: { $0.start < range.end && range.start < $0.end }) { return "a taken frame is free" }
      guard map.memory.contains(where: { $0.start <= range.start && range.end <= $0.end }) else {
        return "a free frame that is no memory"
      }
    }
    return nil
  }
}
