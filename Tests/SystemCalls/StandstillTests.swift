// Fail points that refuse faults for ever: the machine ends when nobody can get on, and only then (Diagnosis.md).

import ABI
import Primitives
import Simulation
import Testing

@testable import SystemCalls

@Suite struct StandstillTests {
  private static let tickNanoseconds: UInt64 = 10_000_000

  private func set(_ kernel: TestKernel, _ setting: String) throws {
    try kernel.hardware.services.setFailurePoint(Array(setting.utf8).span)
  }

  /// Lets whoever runs try to store for so many ticks, or until everything is over. Returns the ticks.
  private func tryToStore(_ kernel: TestKernel, at address: UInt64, ticks: Int) -> Int {
    for tick in 0..<ticks {
      for _ in 0..<20 where kernel.report == nil && kernel.context != nil { kernel.touch(address) }
      if kernel.report != nil { return tick }
      kernel.hardware.clock.advance(by: StandstillTests.tickNanoseconds)
      kernel.tick()
    }
    return ticks
  }

  private func untouchedMemory(_ kernel: TestKernel) -> UInt64 {
    kernel.call(.mmap, 0, 0x10000, .readWrite, .privateMemory, UInt64.max, 0)?.value ?? 0
  }

  @Test(arguments: ["frame:return", "page_frame:return", "page_frame:print(1)->return", "frame:return(0)[pid 1]"])
  func `process 1 ends when its fault is refused for ever`(setting: String) throws {
    let kernel = try TestKernel()
    let address = untouchedMemory(kernel)
    try set(kernel, setting)
    let ticks = tryToStore(kernel, at: address, ticks: 300)
    #expect(kernel.report?.status == 10)
    #expect(kernel.report?.isClean == false)
    #expect((100...110).contains(ticks))
    let text = String(decoding: kernel.hardware.processor.takeConsoleOutput(), as: UTF8.self)
    #expect(text.contains("martlet: process 1 ended: fail points let nobody get on\r\n"))
  }

  @Test func `it ends when it waits for a child whose faults are refused for ever`() throws {
    let kernel = try TestKernel()
    let address = untouchedMemory(kernel)
    #expect(kernel.fork() == 2)
    try set(kernel, "page_frame:return(0)[pid 2]")
    kernel.call(.wait4, UInt64.max, 0, 0, 0)
    _ = tryToStore(kernel, at: address, ticks: 300)
    #expect(kernel.report?.status == 10)
  }

  @Test func `nothing ends while somebody sleeps, runs, or can still be lucky`() throws {
    let sleeping = try TestKernel()
    var address = untouchedMemory(sleeping)
    #expect(sleeping.fork() == 2)
    try set(sleeping, "page_frame:return(0)[pid 2]")
    sleeping.storeWord(10, at: TestKernel.data)
    sleeping.storeWord(0, at: TestKernel.data + 8)
    sleeping.call(.nanosleep, TestKernel.data, 0)
    #expect(tryToStore(sleeping, at: address, ticks: 500) == 500)
    sleeping.hardware.clock.advance(by: 6_000_000_000)
    sleeping.tick()
    #expect(sleeping.report == nil)

    let lucky = try TestKernel()
    address = untouchedMemory(lucky)
    try set(lucky, "page_frame:1000000*return")
    #expect(tryToStore(lucky, at: address, ticks: 300) == 300)
    #expect(lucky.report == nil)
  }

  @Test(arguments: [
    ("frame:return", true), ("frame:100%return", true), ("frame:99.9%return", false), ("frame:7*return", false),
    ("frame:2*off->return", false), ("frame:50%off->return", false), ("frame:print(1)->return", true),
    ("frame:print->return", false), ("frame:5%return->return", true), ("frame:return(0)[pid 1]", true),
    ("frame:return(0)[pid 2]", false), ("frame:off(0)[pid 1]->return", false), ("frame:panic", false),
    ("mapping_record:return", true), ("open_file:return", false),
  ])
  func `a setting stops faults for ever if it fails whatever is drawn`(setting: String, stops: Bool) throws {
    let hardware = SimulatedHardware(HardwareConfiguration())
    try hardware.services.setFailurePoint(Array(setting.utf8).span)
    #expect(hardware.services.failures.stopFaultsForEver(of: 1) == stops)
  }
}
