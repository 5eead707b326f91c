// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// The release has Swift's runtime inside: it runs where no Swift is installed, and starts 30 ms sooner from a cold disk. The two archives are
/// what FoundationEssentials.a needs: only its dynamic sister names them itself. ASOF_DYNAMIC is for toolchains without static libraries.
let runtimeInside: [LinkerSetting] =
    Context.environment["ASOF_DYNAMIC"] == nil
    ? [.unsafeFlags(["-static-stdlib", "-l_FoundationCollections", "-l_FoundationCShims"], .when(configuration: .release))] : []

/// Targets in the order of their layers: each may depend on those above it only.
let package = Package(
    name: "asof",
    targets: [
        // C libraries from Debian, each only a module map and a shim.
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),  // hashes, AES-GCM, HKDF
        .systemLibrary(name: "CFuse3", pkgConfig: "fuse3", providers: [.apt(["libfuse3-dev"])]),  // mounts
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),  // gzip frames
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),  // zstd frames
        .target(name: "CLinux"),

        .target(name: "AsofCore"),
        .target(name: "AsofCommandLine", dependencies: ["AsofCore"]),
        .target(name: "AsofSystem", dependencies: ["AsofCore", "CLinux"]),
        .target(name: "AsofFrame", dependencies: ["AsofCore", "CCrypto", "CLinux", "CZlib", "CZstd"]),
        .target(name: "AsofFormat", dependencies: ["AsofCore", "AsofFrame"]),
        .target(name: "AsofStore", dependencies: ["AsofCore", "AsofSystem", "CLinux"]),
        .target(name: "AsofRepository", dependencies: ["AsofCore", "AsofFormat", "AsofFrame", "AsofStore", "AsofSystem"]),
        .target(name: "AsofFileSystem", dependencies: ["AsofCore"]),
        .target(name: "AsofView", dependencies: ["AsofCore", "AsofFileSystem", "AsofFormat", "AsofFrame", "AsofRepository", "AsofStore", "AsofSystem"]),
        .target(name: "AsofWeaviate", dependencies: ["AsofCore"]),
        .target(name: "AsofCapture", dependencies: ["AsofCore", "AsofFileSystem", "AsofFormat", "AsofFrame", "AsofRepository", "AsofStore", "AsofSystem", "AsofView", "AsofWeaviate", "CLinux"]),
        .target(name: "AsofOverlay", dependencies: ["AsofCapture", "AsofCore", "AsofFileSystem", "AsofFormat", "AsofFrame", "AsofRepository", "AsofSystem", "AsofView", "CLinux"]),
        .target(name: "AsofFuse", dependencies: ["AsofCore", "AsofFileSystem", "AsofSystem", "CFuse3", "CLinux"]),
        .target(name: "AsofCommands", dependencies: ["AsofCapture", "AsofCommandLine", "AsofCore", "AsofFileSystem", "AsofFormat", "AsofFrame", "AsofFuse", "AsofOverlay", "AsofRepository", "AsofStore", "AsofSystem", "AsofView", "AsofWeaviate", "CLinux"]),
        .executableTarget(name: "asof", dependencies: ["AsofCommands"], linkerSettings: runtimeInside),

        .target(name: "AsofTestSupport", dependencies: ["AsofCore", "AsofFileSystem", "AsofFormat", "AsofFrame", "AsofFuse", "AsofRepository", "AsofStore", "AsofSystem", "AsofView", "CLinux"]),
        // Mutations and random histories in numbers that need a release binary.
        .executableTarget(name: "asof-mutations", dependencies: ["AsofTestSupport"]),

        .testTarget(name: "AsofCaptureTests", dependencies: ["AsofCapture", "AsofCommands", "AsofCore", "AsofFileSystem", "AsofFormat", "AsofFrame", "AsofRepository", "AsofStore", "AsofSystem", "AsofTestSupport", "AsofView", "AsofWeaviate"]),
        .testTarget(name: "AsofOverlayTests", dependencies: ["AsofCapture", "AsofCore", "AsofFileSystem", "AsofFrame", "AsofOverlay", "AsofRepository", "AsofStore", "AsofSystem", "AsofTestSupport", "AsofView"]),
        .testTarget(name: "AsofFormatTests", dependencies: ["AsofCore", "AsofFormat", "AsofFrame", "AsofTestSupport"]),
        .testTarget(name: "AsofRepositoryTests", dependencies: ["AsofCore", "AsofFileSystem", "AsofFormat", "AsofFrame", "AsofRepository", "AsofStore", "AsofTestSupport", "AsofView"]),
        .testTarget(name: "AsofFuseTests", dependencies: ["AsofCore", "AsofFileSystem", "AsofFuse", "AsofSystem", "AsofTestSupport", "CLinux"]),

        .testTarget(name: "AsofProgramTests", dependencies: ["asof", "AsofCommands", "AsofCore", "AsofFormat", "AsofFrame", "AsofRepository", "AsofStore", "AsofSystem", "AsofTestSupport", "AsofView"]),
        .testTarget(name: "AsofWeaviateTests", dependencies: ["AsofCore", "AsofWeaviate"]),
        .testTarget(name: "AsofFrameTests", dependencies: ["AsofCore", "AsofFrame", "CZlib", "CZstd"]),
        .testTarget(name: "AsofStoreTests", dependencies: ["AsofCore", "AsofStore", "AsofSystem", "AsofTestSupport"]),
        .testTarget(name: "AsofSystemTests", dependencies: ["asof", "AsofCore", "AsofSystem", "AsofTestSupport", "CLinux"]),
        .testTarget(name: "AsofCoreTests", dependencies: ["AsofCore"]),
        .testTarget(name: "AsofCommandLineTests", dependencies: ["AsofCommandLine", "AsofCore"]),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system && target.name != "CLinux" {
    target.swiftSettings = settings
}
