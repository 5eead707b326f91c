public import CLinux

/// A test seam: named places in the code where a test lets the process die at once, as by `kill -9`.
///
/// `ASOF_CRASH_AT=name` kills the process the first time it reaches `CrashPoint.reach("name")`, `ASOF_CRASH_AT=name:3` the third
/// time. Without the variable a crash point costs one load of a global. Put one before and after every step whose order a crash
/// must not be able to break; names are `part.step.moment`.
public enum CrashPoint {
    @inlinable
    public static func reach(_ name: StaticString) {
        if asof_crash_armed() != 0 {
            asof_crash_reach(UnsafePointer<CChar>(OpaquePointer(name.utf8Start)), name.utf8CodeUnitCount)
        }
    }

    /// Arms a crash point from inside, in the same words; nil disarms. For tests that run in a process of their own.
    package static func arm(_ specification: String?) { asof_crash_arm(specification) }
}
