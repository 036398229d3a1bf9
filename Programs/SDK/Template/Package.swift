// swift-tools-version: 6.2
// A program for Martlet: `martlet-swift build` here, then `martlet-run hello`.
import PackageDescription

let package = Package(
  name: "hello",
  dependencies: [.package(path: (Context.environment["MARTLET_SDK"] ?? "/usr/local") + "/share/martlet/Martlet")],
  targets: [
    .executableTarget(
      name: "hello", dependencies: [.product(name: "Userland", package: "Martlet")],
      swiftSettings: [.enableExperimentalFeature("Embedded")])
  ],
  swiftLanguageModes: [.v6])
