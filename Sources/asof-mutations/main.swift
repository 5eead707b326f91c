// Feeds mutations of valid bytes to every decoder: `asof-mutations --format all --count 1000000 --seed 1`.
// Exits 1 when a decoder gave a wrong result, took longer than a second, or the process needed more than 256 MiB; a trap speaks for itself.
internal import AsofTestSupport
internal import Glibc

struct Arguments {
    var formats: [MutationFormat] = MutationFormat.allCases
    var histories = 0
    var damages = 0
    var count = 1_000_000
    var start = 0
    var seed: UInt64 = 1
}

func usage(_ problem: String) -> Never {
    let formats = MutationFormat.allCases.map(\.rawValue).joined(separator: "|")
    print("\(problem)\nusage: asof-mutations [--format \(formats)|all|histories|damage] [--count N] [--seed S] [--start N]")
    exit(64)
}

func parsed(_ words: [String]) -> Arguments {
    var result = Arguments()
    var rest = words[...]
    while let option = rest.popFirst() {
        guard let value = rest.popFirst() else { usage("\(option) needs a value") }
        switch option {
        case "--format" where value == "all": break
        case "--format" where value == "histories": result.histories = 1
        case "--format" where value == "damage": result.damages = 1
        case "--format":
            guard let format = MutationFormat(rawValue: value) else { usage("no such format: \(value)") }
            result.formats = [format]
        case "--count": if let number = Int(value) { result.count = number } else { usage("not a number: \(value)") }
        case "--start": if let number = Int(value) { result.start = number } else { usage("not a number: \(value)") }
        case "--seed": if let number = UInt64(value) { result.seed = number } else { usage("not a number: \(value)") }
        default: usage("no such option: \(option)")
        }
    }
    return result
}

let arguments = parsed(Array(CommandLine.arguments.dropFirst()))
var isFailed = false

if arguments.histories > 0 {
    // Random histories, each transaction compared with the model: seeds start ..< start + count.
    var transactions = 0
    for number in arguments.start..<arguments.start + arguments.count {
        do {
            let history = try RecordedHistory(.varied(seed: arguments.seed &+ UInt64(number)))
            transactions += history.steps.count
            if let difference = try history.firstDifference() {
                print(difference)
                isFailed = true
            }
        } catch {
            print("seed \(arguments.seed &+ UInt64(number)): \(error)")
            isFailed = true
        }
    }
    print("histories: \(arguments.count), transactions compared: \(transactions), peak \(MutationCampaign.peakMemory()) MiB")
} else if arguments.damages > 0 {
    // Every byte and bit of all objects of small repositories, half of them encrypted: seeds start ..< start + count.
    for number in arguments.start..<arguments.start + arguments.count {
        do {
            let report = try DamageSweep(seed: arguments.seed &+ UInt64(number), isEncrypted: number % 2 == 1).run()
            print("damage \(number): objects \(report.objects), damages \(report.damages), in unread bytes \(report.unnoticed)")
            for failure in report.failures { print("  FAILED \(failure)") }
            if !report.failures.isEmpty { isFailed = true }
        } catch {
            print("damage \(number): \(error)")
            isFailed = true
        }
    }
} else {
    for format in arguments.formats {
        do {
            let report = try MutationCampaign(format, seed: arguments.seed).run(start: arguments.start, count: arguments.count)
            let seconds = (report.seconds * 10).rounded() / 10
            let slowest = (report.slowest * 10_000).rounded() / 10
            print(
                "\(format.rawValue): count \(report.count), accepted \(report.accepted), rejected \(report.rejected), "
                    + "seconds \(seconds), slowest \(slowest) ms, peak \(report.peak) MiB")
            fflush(nil)
            for failure in report.failures { print("  FAILED \(failure)") }
            if !report.failures.isEmpty { isFailed = true }
            if report.peak > MutationCampaign.peakAllowed {
                print("  FAILED \(format.rawValue): more than \(MutationCampaign.peakAllowed) MiB")
                isFailed = true
            }
        } catch {
            print("\(format.rawValue): \(error)")
            isFailed = true
        }
    }
}
exit(isFailed ? 1 : 0)
