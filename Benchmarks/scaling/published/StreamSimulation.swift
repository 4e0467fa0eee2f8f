/// Ranks that queue their work as programs for GPUs do: GEMMs and passes run one after the other on a rank's own
/// stream, messages on streams of their own, one for each pair of ranks, one message at a time in either direction.
/// The host only queues and is never waited for.
struct StreamSimulation {
  enum Command {
    /// Seconds on the rank's own stream.
    case work(Double)
    /// The message may travel as soon as all work queued so far is done, and its other end is posted too.
    case post(message: Int)
    /// Work that is queued later starts when the message has arrived.
    case wait(message: Int)
    /// Notes the time at which all work queued so far is done.
    case mark
  }

  struct Message {
    var ends: (Int, Int)
    var bytes: Double
  }

  struct Outcome {
    /// When each rank is done with everything.
    var seconds: [Double]
    /// Of these, how long each rank's own stream was at work.
    var working: [Double]
    /// The times of each rank's marks.
    var marks: [[Double]]
  }

  private struct Pair: Hashable {
    var low, high: Int
  }

  private(set) var commands: [[Command]]
  private(set) var messages: [Message] = []

  init(ranks: Int) { commands = Array(repeating: [], count: ranks) }

  mutating func append(_ command: Command, rank: Int) { commands[rank].append(command) }

  /// A message between two ranks, to be posted by both.
  mutating func message(between a: Int, and b: Int, bytes: Double) -> Int {
    messages.append(Message(ends: (a, b), bytes: bytes))
    return messages.count - 1
  }

  func run(latencySeconds: Double, bytesPerSecond: Double) -> Outcome {
    let ranks = commands.count
    var outcome = Outcome(
      seconds: Array(repeating: 0, count: ranks), working: Array(repeating: 0, count: ranks),
      marks: Array(repeating: [], count: ranks))
    var position = Array(repeating: 0, count: ranks)
    var postedAt = [Double?](repeating: nil, count: messages.count)
    var arrivedAt = [Double?](repeating: nil, count: messages.count)
    var free: [Pair: Double] = [:]
    var progress = true
    while progress {
      progress = false
      for rank in 0..<ranks {
        queue: while position[rank] < commands[rank].count {
          switch commands[rank][position[rank]] {
          case .work(let seconds):
            outcome.seconds[rank] += seconds
            outcome.working[rank] += seconds
          case .mark:
            outcome.marks[rank].append(outcome.seconds[rank])
          case .post(let id):
            let now = outcome.seconds[rank]
            guard let other = postedAt[id] else {
              postedAt[id] = now
              break
            }
            let ends = messages[id].ends
            let pair = Pair(low: min(ends.0, ends.1), high: max(ends.0, ends.1))
            let start = max(now, other, free[pair] ?? 0)
            let arrival = start + latencySeconds + messages[id].bytes / bytesPerSecond
            arrivedAt[id] = arrival
            free[pair] = arrival
          case .wait(let id):
            guard let arrival = arrivedAt[id] else { break queue }
            outcome.seconds[rank] = max(outcome.seconds[rank], arrival)
          }
          position[rank] += 1
          progress = true
        }
      }
    }
    for rank in 0..<ranks { precondition(position[rank] == commands[rank].count, "ranks wait for each other") }
    return outcome
  }
}
