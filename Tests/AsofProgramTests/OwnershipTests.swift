import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    /// Two users, of whom one is root, and one repository.
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct Ownership {
        let fixture: ProgramFixture
        /// Runs the program as a user to whom the repository belongs.
        private let user = "u() { setpriv --reuid 65534 --regid 65534 --clear-groups env ASOF_STATE_DIR=$PWD/user/state user/asof \"$@\"; }\n"

        init() throws {
            fixture = try ProgramFixture()
            try fixture.capture("a")
            let given = try fixture.shell("chmod 755 . && mkdir user && cp $(command -v asof) user && chown -R 65534:65534 user repo")
            try #require(given.code == 0, "\(given)")
        }

        @Test func `what root writes into a repository of another user belongs to that user`() throws {
            let made = try fixture.shell(user + """
                asof backup create --type base -q && asof clone -q --at latest --timeline c && find repo ! -user 65534 -o ! -group 65534
                u window > window && u backup create -q --type base && u timeline list
                """)
            #expect(made.code == 0 && made.lines.last?.hasPrefix("└─ c") == true, "\(made)")
            #expect(!made.output.contains("repo/"), "\(made)")
        }

        @Test func `a head that may not be read is not damaged`() throws {
            let refused = try fixture.shell(user + "chown root repo/timelines/main/head.json; u timeline list")
            #expect(refused.code == 1 && refused.error.contains("Permission denied") && refused.error.contains("check owner and permissions"), "\(refused)")
            #expect(!refused.error.contains("from a copy"), "\(refused)")
        }

        // MARK: Modes that shut out their owner

        /// Changes the captured directory by a script, and takes its state.
        private func capture(_ change: String) throws {
            let taken = try fixture.shell("\(change); chown -R 65534:65534 data; asof follow --once --no-stop data; chown -R 65534:65534 repo")
            try #require(taken.code == 0, "\(taken)")
        }

        /// Restores as the user: killed at a crash point, and again to the end, which must be the state.
        private func expectRestored(killedAt points: [String]) throws {
            for point in points {
                let done = try fixture.shell(user + """
                    restore() { u restore --at latest --to user/out -q; }
                    (export ASOF_CRASH_AT=\(point); restore); echo $?; restore || exit 1
                    list() { (cd $1 && find . -printf '%p %M %T@\n' | sort); }
                    list data > want; list user/out > have; cmp want have || exit 1
                    rm -r user/out; ls -d user/out.* && exit 1
                    exit 0
                    """)
                #expect(done.code == 0 && done.lines.first == "137", "\(point): \(done)")
            }
        }

        @Test func `folders that shut out their owner are finished by him, however often he is interrupted`() throws {
            try #require(fixture.shell("mkdir -p data/zero/sub/c data/read/sub data/kept; touch data/zero/sub/c/file data/read/file data/kept/file").code == 0)
            for name in ["data/kept", "data/kept/file"] {
                let file = try SystemCall.open(fixture.folder.path(name), O_RDONLY)
                try SystemCall.setExtendedAttribute(file.raw, "user.kept", [1])
            }
            try capture("chmod 0 data/zero data/zero/sub/c; chmod 600 data/read; chmod 100 data/read/sub; chmod 500 data/kept; chmod 400 data/kept/file")
            try expectRestored(killedAt: ["restore.batch.noted", "restore.folders.finished", "restore.switch.before"])
        }

        /// The same where that user may mount: as root alone sees it, `/dev/fuse` belongs to everybody.
        private func shellWithFuse(_ script: String) throws -> ProgramFixture.Outcome {
            try fixture.folder.write("script", Array((user + script).utf8))
            return try fixture.shell("mknod fuse c 10 229 && chmod 666 fuse && exec unshare -m sh -c 'mount --bind fuse /dev/fuse && . ./script'")
        }

        @Test(arguments: ["promote.departed.before", "promote.departed.after", "promote.arrived", "promote.filled", "promote.finished.before", "restore.switch.before"])
        func `a promotion of what shuts out its owner is finished by him`(point: String) throws {
            try capture("mkdir -p data/fixed/sub data/moved data/gone/sub data/quiet && touch data/marked data/fixed/a data/fixed/sub/a data/moved/a data/gone/sub/a data/quiet/a; chmod -R a-w data/*")
            let done = try shellWithFuse("""
                mkdir user/mnt && chown 65534:65534 user/mnt && u mount -q --at latest --rw --overlay user/overlay user/mnt || exit 1
                cat > change << 'END'
                    set -e
                    cd user/mnt; chmod u+w . fixed fixed/sub moved gone gone/sub
                    chmod u+w marked; /usr/bin/python3 -c 'import os; os.setxattr("marked", "user.mark", b"m")'; chmod u-w marked
                    echo b > fixed/b; rm fixed/sub/a; mkdir fixed/sub/deep; mv moved fixed/sub/deep; rm -r gone
                    chmod 0 fixed/sub/deep/moved; chmod 500 fixed/sub/deep fixed/sub fixed .
                END
                as() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
                as sh change || exit 1
                list() { as sh -c "cd $1 && find . -printf '%p %M %T@\n'" | sort; }
                list user/mnt > want
                promote() { u promote user/mnt --to user/out --finalize -q; }
                (export ASOF_CRASH_AT=\(point); promote); echo $?; promote || exit 1
                list user/out > have; cmp want have && test $(wc -l < want) = 11 && test -e user/out/fixed/sub/deep/moved/a || exit 1
                u umount user/mnt
                """)
            #expect(done.code == 0 && done.lines.first == "137", "\(point): \(done)")
        }

        @Test func `a promotion of nothing that changed leaves the root's mode`() throws {
            try capture("touch data/b; chmod 750 data")
            let done = try shellWithFuse("""
                mkdir user/mnt && chown 65534:65534 user/mnt && u mount -q --at latest --rw --overlay user/overlay user/mnt || exit 1
                u promote user/mnt --to user/out --finalize -q; u umount user/mnt; stat -c %a user/out
                """)
            #expect(done.lines.last == "750", "\(done)")
        }

        @Test func `a promotion says what lacks its owner`() throws {
            try capture("touch data/b")
            try #require(fixture.shell("chown 0 data/b && asof follow --once --no-stop data && chown -R 65534:65534 repo").code == 0)
            let done = try shellWithFuse("""
                mkdir user/mnt && chown 65534:65534 user/mnt && u mount -q --at latest --rw --overlay user/overlay user/mnt || exit 1
                u promote user/mnt --to user/out -q; echo $?; u promote user/mnt --finalize -q; echo $?; u umount user/mnt
                """)
            #expect(done.lines.filter { $0.count == 1 } == ["0", "3"] && done.error.contains("1 files, folders and links lack their owner"), "\(done)")
        }

        @Test func `a command of his sees the mounts that cannot be taken away from him`() throws {
            let seen = try shellWithFuse("""
                mkdir -p user/mnt && chown 65534:65534 user/mnt && u mount -q --at latest user/mnt || exit 1
                setpriv --reuid 65534 --regid 65534 --clear-groups sh -c "cd user/mnt && ASOF_STATE_DIR=$PWD/user/state $PWD/user/asof mount -q --at latest -- ls"
                echo $?; u umount user/mnt
                """)
            #expect(seen.lines == ["a", "0"], "\(seen)")
        }

        @Test func `a root to which its owner may not write is restored by him`() throws {
            for mode in ["0555", "0500"] {
                try capture("chmod \(mode) data")
                try expectRestored(killedAt: ["restore.folders.finished", "restore.switch.before", "restore.switch.renamed", "restore.switch.synced", "restore.switch.ended"])
            }
        }

        @Test func `an exchange in place moves folders to which their owner may not write`() throws {
            try capture("mkdir data/new data/both && touch data/new/file data/both/file && chmod 555 data/new data/both data")
            let points = ["swap.begun", "swap.moved", "swap.moved:2", "swap.left", "swap.emptied", "swap.moved:3", "swap.moved:4", "swap.moved:5", "swap.entered", "swap.filled", "swap.kept", "swap.dressed"]
            for point in points {
                let done = try fixture.shell(user + """
                    list() { (cd $1 && find . ! -path './.asof*' -printf '%p %M %T@\n' | sort); }
                    # What is kept has times of its own at its root.
                    dated() { list $1 | sed '1s/ [0-9.]*$//'; }
                    rm -rf user/out user/old && mkdir -p user/out/both user/out/older && echo 1 > user/out/both/before && chmod 500 user/out/both user/out/older
                    chmod 711 user/out && chown -R 65534:65534 user/out && cp -a user/out user/old && list data > want && dated user/old > before
                    restore() { u restore --at latest --in-place user/out -q; }
                    (export ASOF_CRASH_AT=restore.\(point); restore); echo $?; restore || exit 1
                    list user/out > have; cmp want have || exit 1
                    dated user/out/.asof-replaced-*/old > kept; cmp before kept
                    """)
                #expect(done.code == 0 && done.lines.first == "137", "\(point): \(done)")
            }
        }

        @Test func `no exchange in place begins that its user could not finish`() throws {
            try capture("touch data/b")
            for foreign in ["chown 0 user/out/foreign", "chmod 777 user/out && chown 0 user/out"] {
                let refused = try fixture.shell(user + """
                    rm -rf user/out && mkdir -p user/out/foreign user/out/lost+found && chown -R 65534:65534 user && chown 0 user/out/lost+found
                    \(foreign); u restore --at latest --in-place user/out -q; echo $?; ls -A user/out
                    chmod 777 user/out/foreign; chown 65534 user/out; u restore --at latest --in-place user/out -q > said; echo $?
                    """)
                #expect(refused.output == "1\nforeign\nlost+found\n0\n" && refused.error.contains("another user"), "\(refused)")
            }
        }
    }
}
