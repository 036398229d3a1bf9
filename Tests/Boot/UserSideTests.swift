// The user-side tests (Programs/Tests), several to a boot: `run-tests` runs them one after the other and says how each ended.

import Memory
import Primitives
import Testing

@Suite("User-side tests", .enabled(if: BootFiles.areBooted))
struct UserSideTests {
  /// Programs that run in one boot, with what they find under /bin.
  struct Batch: CustomTestStringConvertible, Sendable {
    let name: String
    let programs: [String]
    var others: [String] = []
    var memory = "128M"
    var append = ""
    var processor: String? = measuredProcessor
    /// Whether it takes long, and is run by `make test-all` only.
    var isLong = false
    var testDescription: String { name }
  }

  /// Options that set every fail point to the same for everybody but process 1: a page of that which cannot be read ends
  /// everything, and a fork of it that fails a program, neither of which is what is tested.
  static func everyFailure(_ setting: String) -> String {
    // An `off` without a count would switch the point off for everybody; so often no point is evaluated in one run.
    FailurePoint.allCases.map { "\"fail=\($0.name):1000000000*off(0)[pid 1]->\(setting)\"" }.joined(separator: " ")
  }

  static let batches = [
    Batch(
      name: "shared memory",
      programs: [
        "posixshm_test", "posixshm2008_test", "shared_memory_test", "shared_object_test", "mapping_test", "memfd_test",
        "page_fault_signal_test", "posixshm_space_test", "shared_shadow_inval_test", "mlock_test", "capability_test",
        "information_test", "posixshm_largepage_test", "superpage_test", "open_posix_test",
      ]),
    Batch(
      name: "processes and descriptors",
      programs: ["process_test", "descriptor_test", "system_test", "start_state_test", "stale_bytes_test"],
      others: ["arguments", "descriptors", "end"]),
    Batch(
      name: "the C library",
      programs: ["library_text_test", "library_stream_test", "library_queue_test", "pthread_test", "pthread_lock_test"]),
    Batch(
      name: "the C library's threads in turns as short as there are", programs: ["pthread_test", "pthread_lock_test"],
      append: "turn=20", isLong: true),
    Batch(name: "pipes", programs: ["pipe_test"]),
    Batch(name: "pipes that are in swap", programs: ["pipe_test"], memory: "64M", append: "swap=24M", isLong: true),
    Batch(
      name: "sockets",
      programs: [
        "socket_test", "socket_end_test", "socket_message_test", "socket_name_test", "socket_path_test",
        "socket_credential_test", "passing_test", "passing_cycle_test",
      ]),
    Batch(name: "sockets, by FreeBSD's own cases", programs: ["unix_seqpacket_test", "unix_dgram_test"], isLong: true),
    Batch(name: "cycles of sockets", programs: ["cycles_test"], memory: "256M", isLong: true),
    Batch(
      name: "signals and queues of events",
      programs: [
        "signal_test", "signal_frame_test", "signal_sleep_test", "freebsd_signal_test", "kqueue_test",
        "kqueue_process_test", "kqueue_timer_test", "libkqueue_test", "poll_test",
        "poll_crowd_test",
      ]),
    Batch(name: "queues of events that know threads apart", programs: ["skq_test"]),
    Batch(name: "timers and clocks", programs: ["timer_test"]),
    Batch(name: "stops and kills in the middle of calls", programs: ["interruption_test"], memory: "256M"),
    Batch(
      name: "threads and what they wait for",
      programs: ["threads_test", "umtx_test", "libthr_test", "libthr_signal_test"]),
    Batch(name: "hand-overs in turns as short as there are", programs: ["handover_test"], append: "turn=20"),
    Batch(name: "two thousand threads at random", programs: ["storm_test"], memory: "256M", isLong: true),
    Batch(name: "hostile programs", programs: ["hostile_test", "bad_arguments_test"]),
    Batch(
      name: "hostile programs on a processor without SMEP and SMAP", programs: ["hostile_test", "system_test"],
      processor: nil, isLong: true),
    Batch(name: "taking without end", programs: ["exhaustion_test"], memory: "64M", isLong: true),
    Batch(name: "swap", programs: ["swap_test"], memory: "64M", append: "swap=24M"),
    Batch(name: "swap devices", programs: ["swap_device_test"], memory: "96M", append: "swap=24M swap=24M"),
    Batch(name: "swap, compressed", programs: ["swap_test"], memory: "64M", append: "swap=compressed:128M"),
    Batch(
      name: "more text than memory, compressed", programs: ["swap_text_test"], memory: "128M",
      append: "swap=compressed:256M", isLong: true),
    Batch(
      name: "more text than memory, on a disk", programs: ["swap_text_test"], memory: "384M", append: "swap=256M",
      isLong: true),
    Batch(
      name: "taking without end, with swap", programs: ["exhaustion_test"], memory: "64M", append: "swap=16M",
      isLong: true),
    Batch(name: "users who take all, and root", programs: ["shortage_test"], memory: "64M", isLong: true),
    Batch(
      name: "users who take all, and root, with swap", programs: ["shortage_test"], memory: "64M", append: "swap=16M"),
    Batch(name: "what calls and faults cost", programs: ["cost_test"]),
    Batch(name: "costs that do not grow", programs: ["scale_test"]),
    Batch(name: "names, mappings and processes, many of each", programs: ["size_test"], memory: "256M"),
    Batch(name: "fail points", programs: ["fail_point_test"], others: ["end"]),
    Batch(
      name: "a part of all allocations and transfers fails", programs: ["adversity_test"], others: ["end"],
      memory: "32M", append: "swap=8M seed=8 " + everyFailure("0.3%return"), isLong: true),
    Batch(
      name: "few allocations and transfers fail", programs: ["adversity_test"], others: ["end"],
      memory: "32M", append: "swap=8M " + everyFailure("0.02%return")),
    // What no call has an error for: faults wait, page-out is tried again. Programs see nothing of it.
    Batch(
      name: "failures that programs do not see",
      programs: ["shared_object_test", "mapping_test", "swap_test", "hostile_test"],
      memory: "64M",
      append: "swap=24M fail=page_frame:5%return fail=index_node:5%return fail=mapping_record:5%return "
        + "fail=swap_block:5%return fail=transfer_write:5%return", isLong: true),
    Batch(name: "shares of the processor", programs: ["turn_test", "priority_test"]),
    Batch(
      name: "how late a sleeper is beside long calls", programs: ["latency_test"], others: ["large"], memory: "512M",
      isLong: true),
    Batch(
      name: "shares of the processor, without a local interrupt controller", programs: ["turn_test"],
      processor: measuredProcessor + ",-apic", isLong: true),
    Batch(name: "much work holds nobody up", programs: ["stall_test"], memory: "1300M", isLong: true),
    Batch(
      name: "page-out holds nobody up", programs: ["stall_swap_test"], memory: "192M", append: "swap=64M", isLong: true),
    Batch(name: "ten thousand rounds without a leak", programs: ["leak_test"], isLong: true),
  ]

  @Test(arguments: batches.filter { !$0.isLong || BootFiles.areWhole })
  func `Every case passes and nothing is left behind`(_ batch: Batch) throws {
    let result = try boot(
      program: "run-tests", arguments: batch.programs.joined(separator: " "), modules: batch.programs + batch.others,
      append: batch.append, memory: batch.memory, processor: batch.processor, timeLimit: 400)
    let failures = result.lines.indices.filter { result.lines[$0].hasPrefix("not ok") }
    for index in failures {
      // The line before a failed case says what failed.
      Issue.record("\(result.lines[max(0, index - 1)])\n\(result.lines[index])")
    }
    #expect(result.lines.contains("martlet: nothing leaked"))
    for program in batch.programs {
      #expect(result.lines.contains("ok program \(program)"), "\(program)")
      #expect(result.lines.contains { $0.hasPrefix("ok \(program).") }, "\(program) ran no case")
    }
    #expect(result.exit == .success, "\(failures.isEmpty ? result.description : result.report)")
  }
}
