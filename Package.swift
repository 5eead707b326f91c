// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// Targets in the order of their layers: each may depend on those above it only.
let package = Package(
    name: "asof",
    targets: [
        // C libraries from Debian, each only a module map and a shim.
        .target(name: "CLinux"),

        .target(name: "AsofCore"),
        .target(name: "AsofCommandLine", dependencies: ["AsofCore"]),
        .target(name: "AsofSystem", dependencies: ["AsofCore", "CLinux"]),

        // Mutations and random histories in numbers that need a release binary.


        .testTarget(name: "AsofCoreTests", dependencies: ["AsofCore"]),
        .testTarget(name: "AsofCommandLineTests", dependencies: ["AsofCommandLine", "AsofCore"]),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system && target.name != "CLinux" {
    target.swiftSettings = settings
}
