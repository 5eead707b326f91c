/// The names of all crash points, for the campaign that visits each. A test holds the list against the sources.
package enum CrashPointNames {
    package static let all = [
        "archive.head.after", "archive.head.before", "archive.upload.after", "archive.upload.before",
        "capture.epoch.taken",
        "durable.replace.renamed", "durable.replace.written",
        "follow.ahead.after", "follow.scan.within", "follow.stop.after", "follow.stop.within", "follow.tick.committed",
        "journal.commit.after", "journal.commit.before", "journal.intent.after", "journal.intent.before", "journal.intent.reserved",
        "journal.keep.after",
        "journal.sync.after", "journal.sync.before",
        "overlay.checkpoint.after", "overlay.checkpoint.before", "overlay.checkpoint.data", "overlay.checkpoint.table",
        "overlay.commit.after", "overlay.commit.before", "overlay.write.after", "overlay.write.before", "overlay.write.part",
        "promote.arrived", "promote.cleared", "promote.departed.after", "promote.departed.before", "promote.filled", "promote.finished.before", "promote.frozen.after",
        "promote.frozen.before",
        "record.change.after", "record.change.before", "record.write.after", "record.write.before",
        "restore.batch.noted", "restore.batch.synced", "restore.batch.written", "restore.begin.saved", "restore.folders.finished", "restore.piece.written",
        "restore.swap.begun", "restore.swap.dressed", "restore.swap.emptied", "restore.swap.entered", "restore.swap.filled", "restore.swap.forgotten",
        "restore.swap.kept", "restore.swap.left", "restore.swap.moved",
        "restore.switch.before", "restore.switch.cleared", "restore.switch.ended", "restore.switch.renamed", "restore.switch.synced",
        "spool.append.after", "spool.append.before", "spool.seal.after", "spool.seal.before", "spool.seal.renamed", "spool.seal.synced",
        "store.cas.after", "store.cas.before", "store.put.before", "store.put.renamed", "store.put.written",
    ]
}
