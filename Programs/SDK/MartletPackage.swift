// swift-tools-version: 6.2
// What programs in Swift outside of Martlet's repository depend on (Programs/SDK/install copies it beside its sources).
import PackageDescription

let settings: [SwiftSetting] = [
  .enableExperimentalFeature("Embedded"), .enableExperimentalFeature("Lifetimes"), .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "Martlet",
  products: [.library(name: "Userland", type: .static, targets: ["Userland", "ABI", "CLibrary"])],
  targets: [
    // FreeBSD's numbers and layouts, as the kernel has them.
    .target(name: "ABI", path: "ABI", swiftSettings: settings),
    // The C library: start-up code, memory, text, streams, threads.
    .target(
      name: "CLibrary", path: "CLibrary", sources: ["library"], publicHeadersPath: "include",
      cSettings: [.headerSearchPath("include")]),
    .target(
      name: "UserlandSupport", dependencies: ["CLibrary"], path: "UserlandSupport", publicHeadersPath: "include"),
    // System calls with typed errors, shared memory, processes.
    .target(name: "Userland", dependencies: ["ABI", "UserlandSupport"], path: "Userland", swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6])
