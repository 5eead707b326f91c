import AsofFuse
import AsofTestSupport
import Testing

extension MountTests {
    @Suite("The POSIX suite through the kernel")
    struct PosixTests {
        @Test(arguments: [1, 2, 3, 4] as [UInt64])
        func `a file system in memory behaves like the local disk`(seed: UInt64) async throws {
            let memory = MemoryFileSystem()
            let mounted = try Mounted(memory)
            try await onThread(mounted) {
                try PosixSuite.run(subject: mounted.path, model: mounted.model, seed: seed, operations: 2500)
                // The kernel sends a release after close(2) has returned, and drops those that an unmount overtakes.
                #expect(eventually { memory.openHandles == 0 })
            }
            try await onThread(mounted) { try mounted.unmount() }
        }

        @Test(arguments: PosixScenario.all)
        func `a file system in memory plays the scenario`(scenario: PosixScenario) async throws {
            let mounted = try Mounted(MemoryFileSystem())
            try await onThread(mounted) { try scenario.run(in: mounted.path) }
        }

        /// The suite itself must agree with Linux.
        @Test(arguments: PosixScenario.all)
        func `the local disk plays the scenario`(scenario: PosixScenario) async throws {
            let mounted = try Mounted(MemoryFileSystem())
            try await onThread(mounted) { try scenario.run(in: mounted.model) }
        }
    }
}
