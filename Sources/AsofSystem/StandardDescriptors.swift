internal import Glibc

/// The first three descriptors of a process, which whoever starts it may have closed.
package enum StandardDescriptors {
    /// Opens those that are closed, so that no file of ours gets their numbers: what is printed would be written into it. Reading the
    /// first and writing the others fails as if they were closed still.
    package static func fill() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
            // The lowest free number is this one.
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }
}
