internal import AsofWeaviate
internal import Glibc

extension EnvironmentVariables {
    /// Those that we were started with.
    static var inherited: EnvironmentVariables {
        var list: [String] = []
        var next = environ
        while let variable = next.pointee {
            list.append(String(cString: variable))
            next += 1
        }
        return EnvironmentVariables(list)
    }
}
