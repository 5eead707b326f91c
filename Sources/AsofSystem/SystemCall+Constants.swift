/// Constants that Swift's Glibc does not show, under their C names: the values of the generic Linux ABI (x86-64, arm64).
extension SystemCall {
    package static let O_PATH: Int32 = 0o10000000
    package static let O_DIRECT: Int32 = 0o40000
    package static let O_NOATIME: Int32 = 0o1000000
    package static let AT_EMPTY_PATH: Int32 = 0x1000
    package static let FALLOC_FL_KEEP_SIZE: Int32 = 0x01
    package static let FALLOC_FL_PUNCH_HOLE: Int32 = 0x02
    package static let FALLOC_FL_COLLAPSE_RANGE: Int32 = 0x08
    package static let FALLOC_FL_ZERO_RANGE: Int32 = 0x10
    package static let FALLOC_FL_INSERT_RANGE: Int32 = 0x20
    package static let XATTR_CREATE: Int32 = 1
    package static let XATTR_REPLACE: Int32 = 2
    package static let SEEK_DATA: Int32 = 3
    package static let SEEK_HOLE: Int32 = 4
}
