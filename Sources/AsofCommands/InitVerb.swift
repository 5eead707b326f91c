internal import AsofCommandLine
internal import AsofCore
internal import AsofFrame
internal import AsofRepository
internal import AsofStore
internal import AsofSystem

enum InitVerb {
    private struct Answer: Encodable {
        var repository: String
        var id: String
        var compression: String
        var encrypted: Bool
    }

    static func run(_ invocation: Invocation) throws(AsofError) {
        let compression = try Compression.parse(try invocation.required("compression"))
        let key = try Session.key(invocation)
        if invocation.flag("dry-run") {
            let place = try Session.location(invocation).description
            try requirePlace(invocation)
            return try DryRun.say(
                "make a repository in \(place), \(compression), \(key == nil ? "not encrypted" : "encrypted")",
                with: ["repository": place, "compression": compression.description, "encryption": key == nil ? "none" : "aes-256-gcm"], invocation)
        }
        let store = try Session.store(invocation, .creating)
        let repository = try Repository.create(in: store, compression: compression, key: key, now: Instant(seconds: SystemClock.now().seconds))
        let answer = Answer(
            repository: store.description, id: repository.id.description, compression: compression.description, encrypted: key != nil)
        if invocation.flag("json") { return try Console.json(answer) }
        guard !invocation.flag("quiet") else { return }
        Console.line("made repository \(repository.id) in \(store.description) (\(compression)\(key == nil ? "" : ", encrypted"))")
        if key != nil { Console.note("without its key nobody can read this repository: keep a copy of the key elsewhere") }
    }

    /// Throws where the command would.
    private static func requirePlace(_ invocation: Invocation) throws(AsofError) {
        let store: any ObjectStore
        do throws(AsofError) { store = try Session.store(invocation, .reading) } catch {
            // Not there yet: it would be made.
            if error.code == .noRepository { return }
            throw error
        }
        try Repository.requirePlace(in: store)
    }
}
