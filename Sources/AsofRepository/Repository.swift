package import AsofCore
package import AsofFrame
package import AsofStore

/// An opened repository: its store, its configuration and, where it is encrypted, its data key.
package final class Repository: Sendable {
    package let store: any ObjectStore
    package let configuration: RepositoryConfiguration
    package let dataKey: DataKey?

    private init(store: any ObjectStore, configuration: RepositoryConfiguration, dataKey: DataKey?) {
        self.store = store
        self.configuration = configuration
        self.dataKey = dataKey
    }

    package var id: ObjectID { configuration.id }

    /// Makes a new repository in an empty store. `key`: encrypt everything with it.
    package static func create(
        in store: any ObjectStore, compression: Compression, key: UserKey?, now: Instant
    ) throws(AsofError) -> Repository {
        try requirePlace(in: store)
        let id = ObjectID.random()
        var dataKey: DataKey?
        var slots: [[UInt8]] = []
        if let key {
            let made = DataKey.random()
            dataKey = made
            do { slots = [try KeyWrap.wrap(made, userKey: key, context: id.bytes)] } catch {
                throw AsofError(.failure, "cannot wrap the data key: \(error)")
            }
        }
        let configuration = RepositoryConfiguration(
            id: id, created: now, compression: compression, requiredFeatures: key == nil ? [] : ["aes-256-gcm"],
            optionalFeatures: [], keySlots: slots)
        guard try store.putIfAbsent(ObjectName.configuration, try configuration.encode()) else {
            throw AsofError(.failure, "somebody else made a repository in \(store.description) at the same moment")
        }
        return Repository(store: store, configuration: configuration, dataKey: dataKey)
    }

    /// Throws where `create` would: nothing is made beside what is there already.
    package static func requirePlace(in store: any ObjectStore) throws(AsofError) {
        if let existing = try store.get(ObjectName.configuration) {
            let known = try? RepositoryConfiguration(decoding: existing.bytes, name: ObjectName.configuration)
            throw AsofError(
                .failure, "\(store.description) is a repository already" + (known.map { ", made \($0.created)" } ?? ""),
                hint: "nothing needs to be done; `asof window` shows what is in it")
        }
        try refuseLostConfiguration(of: store)
        if let found = try store.firstEntry() {
            throw AsofError(
                .failure, "\(store.description) is not empty: it holds \(found)", hint: "choose an empty or new place for the repository")
        }
    }

    /// Without asof.json nothing that lies beside it can be read, and another one in its place would be of another repository.
    private static func refuseLostConfiguration(of store: any ObjectStore) throws(AsofError) {
        guard let found = try store.list(prefix: "timelines/").first else { return }
        throw AsofError(
            .damaged, "\(store.description)/\(ObjectName.configuration) is missing, but there is \(found.name)",
            hint: "put asof.json back from a copy of the repository, or of that file; if it was encrypted, nothing else holds its data key")
    }

    package static func open(_ store: any ObjectStore, key: UserKey?) throws(AsofError) -> Repository {
        guard let object = try store.get(ObjectName.configuration) else {
            try refuseLostConfiguration(of: store)
            throw AsofError(
                .noRepository, "there is no repository in \(store.description)", hint: "`asof init -r \(store.description)` makes one")
        }
        let configuration = try RepositoryConfiguration(
            decoding: object.bytes, name: "\(store.description)/\(ObjectName.configuration)")
        guard configuration.isEncrypted else { return Repository(store: store, configuration: configuration, dataKey: nil) }
        guard let key else {
            throw AsofError(
                .key, "\(store.description) is encrypted", hint: "give its key with --key-file FILE or --key-env NAME")
        }
        for slot in configuration.keySlots {
            if let found = try? KeyWrap.unwrap(slot, userKey: key, context: configuration.id.bytes) {
                return Repository(store: store, configuration: configuration, dataKey: found)
            }
        }
        throw AsofError(.key, "this key does not open \(store.description)", hint: "is it the key of another repository?")
    }

    package func sealer(for object: ObjectID) -> FrameSealer {
        FrameSealer(object: object, repository: configuration.id, dataKey: dataKey)
    }

    /// Signs heads; nil without encryption.
    var headKey: [UInt8]? {
        dataKey?.derived(purpose: "asof head v1", salt: configuration.id.bytes)
    }

    package func timeline(_ name: String) throws(AsofError) -> Timeline {
        guard ObjectName.isTimeline(name) else {
            throw AsofError(.usage, "\(name) cannot be the name of a timeline", hint: "use letters, digits, - and _, at most 64")
        }
        return Timeline(name: name, repository: self)
    }
}
