import AsofTestSupport
import Testing

/// Parent of every suite that mounts: one mount test at a time.
@Suite("Mounts", .serialized, .enabled(if: Mounted.isPossible, "this machine has no usable /dev/fuse"))
enum MountTests {}
