// swift-tools-version: 6.2
// Several builds from one description. Plain `swift build`/`swift test` builds the portable modules and the tests for the
// host; MARTLET_BUILD=kernel and MARTLET_BUILD=programs select the two freestanding builds, MARTLET_BUILD=fuzz what libFuzzer
// drives (see the Makefile).
import PackageDescription

let build = Context.environment["MARTLET_BUILD"] ?? "host"

let strict: [SwiftSetting] = [
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
]
let freestanding: [SwiftSetting] = strict + [.enableExperimentalFeature("Embedded")]
let isForHost = build == "host" || build == "fuzz"
let portable = isForHost ? strict : freestanding

// Every module that imports an Embedded one makes its code anew. So it is made once, where all of it is linked (Main); the
// object files of the others stay empty. That halves the time a build takes (Documentation/Toolchain.md).
let emptyObjects: [SwiftSetting] = build == "kernel" ? [.unsafeFlags(["-Xfrontend", "-emit-empty-object-file"])] : []

func kernelModule(_ name: String, _ dependencies: [String]) -> Target {
  .target(
    name: name, dependencies: dependencies.map { .byName(name: $0) }, path: "Kernel/\(name)",
    swiftSettings: portable + emptyObjects)
}

var targets: [Target] = [kernelModule("ABI", [])]
var products: [Product] = []

if build != "programs" {
  targets += [
    kernelModule("Primitives", ["ABI"]),
    kernelModule("Memory", ["ABI", "Primitives"]),
    kernelModule("Handover", ["ABI", "Primitives"]),
    kernelModule("Files", ["ABI", "Primitives", "Memory"]),
    kernelModule("Processes", ["ABI", "Primitives", "Memory", "Files"]),
    kernelModule("SystemCalls", ["ABI", "Primitives", "Memory", "Handover", "Files", "Processes"]),
  ]
}

switch build {
case "kernel":
  targets += [
    .target(name: "RuntimeSupport", path: "Kernel/Runtime/Support", cSettings: [.treatAllWarnings(as: .error)]),
    .target(
      name: "Runtime", dependencies: ["RuntimeSupport", "Primitives", "Memory"], path: "Kernel/Runtime",
      exclude: ["Support"],
      swiftSettings: freestanding),
    .target(name: "MachineSupport", path: "Kernel/Machine/Support", cSettings: [.treatAllWarnings(as: .error)]),
    .target(
      name: "Machine",
      dependencies: [
        "MachineSupport", "RuntimeSupport", "ABI", "Primitives", "Memory", "Handover", "Files", "Processes",
        "SystemCalls", "Runtime",
      ],
      path: "Kernel/Machine", exclude: ["Support"], swiftSettings: freestanding + emptyObjects),
    .target(
      name: "SelfTests",
      dependencies: ["ABI", "Primitives", "Memory", "Files", "Processes", "SystemCalls", "Machine", "Runtime"],
      path: "Kernel/SelfTests", swiftSettings: freestanding + emptyObjects),
    .executableTarget(
      name: "Main",
      dependencies: [
        "ABI", "Primitives", "Memory", "Handover", "Files", "Processes", "SystemCalls", "MachineSupport", "Machine",
        "Runtime", "SelfTests",
      ],
      path: "Kernel/Main", swiftSettings: freestanding),
  ]
  products = [.executable(name: "Main", targets: ["Main"])]
case "programs":
  func program(_ name: String, _ product: String) {
    targets.append(
      .executableTarget(
        name: name, dependencies: ["ABI", "Userland"], path: "Programs/Swift/\(name)", swiftSettings: freestanding))
    products.append(.executable(name: product, targets: [name]))
  }
  targets += [
    .target(
      name: "UserlandSupport", path: "Programs",
      sources: ["Swift/Support/support.c", "C/library"], publicHeadersPath: "Swift/Support/include",
      cSettings: [.headerSearchPath("C/include"), .treatAllWarnings(as: .error)]),
    .target(
      name: "Userland", dependencies: ["ABI", "UserlandSupport"], path: "Programs/Swift/Library",
      swiftSettings: freestanding),
  ]
  program("Demonstration", "demonstration")
case "fuzz":
  targets += [
    // The address sanitizer is asked for where Swift is compiled and linked, which C is not told of.
    .target(
      name: "HeapProbe", path: "Tests/HeapProbe",
      cSettings: [.treatAllWarnings(as: .error), .define("HEAP_PROBE_IS_SANITIZED")]),
    .target(
      name: "Simulation",
      dependencies: ["ABI", "Primitives", "Memory", "Handover", "Files", "Processes", "SystemCalls", "HeapProbe"],
      path: "Tests/Simulation", swiftSettings: strict),
    .target(name: "Fuzzing", dependencies: ["Handover", "Simulation"], path: "Tests/Fuzz", swiftSettings: strict),
  ]
  products = [.library(name: "Fuzzing", type: .static, targets: ["Fuzzing"])]
default:
  func tests(_ name: String, _ dependencies: [String]) -> Target {
    .testTarget(
      name: "\(name)Tests", dependencies: dependencies.map { .byName(name: $0) }, path: "Tests/\(name)",
      // What is tested is optimised where all of it is run; the tests themselves are not worth the time that this takes.
      // Nobody imports them, so their modules need not be there before their code.
      swiftSettings: strict + [
        .unsafeFlags(["-Onone", "-no-emit-module-separately-wmo"], .when(configuration: .release))
      ])
  }
  targets += [
    .target(name: "HeapProbe", path: "Tests/HeapProbe", cSettings: [.treatAllWarnings(as: .error)]),
    .target(
      name: "Simulation",
      dependencies: ["ABI", "Primitives", "Memory", "Handover", "Files", "Processes", "SystemCalls", "HeapProbe"],
      path: "Tests/Simulation", swiftSettings: strict),
    .executableTarget(
      name: "simulate", dependencies: ["Primitives", "Memory", "Simulation"], path: "Tests/Simulate",
      swiftSettings: strict),
    .target(
      name: "QueueExperiment", dependencies: ["ABI", "Primitives", "Memory", "Files", "Simulation"],
      path: "Tests/QueueExperiment", swiftSettings: strict),
    .executableTarget(name: "skq", dependencies: ["QueueExperiment"], path: "Tests/Skq", swiftSettings: strict),
    tests("ABI", ["ABI"]),
    tests("Primitives", ["ABI", "Primitives", "Simulation"]),
    tests("Memory", ["ABI", "Primitives", "Memory", "Simulation"]),
    tests("Handover", ["Primitives", "Memory", "Handover", "Simulation"]),
    tests("Files", ["ABI", "Primitives", "Memory", "Files", "Simulation", "QueueExperiment"]),
    tests("Processes", ["ABI", "Primitives", "Memory", "Files", "Processes", "Simulation"]),
    tests("SystemCalls", ["ABI", "Primitives", "Memory", "Files", "Processes", "SystemCalls", "Simulation"]),
    tests("Kernel", ["ABI", "Primitives", "Memory", "Files", "Processes", "SystemCalls", "Simulation"]),
    tests("Boot", ["ABI", "Primitives", "Memory"]),
  ]
}

let package = Package(name: "Martlet", products: products, targets: targets, swiftLanguageModes: [.v6])
