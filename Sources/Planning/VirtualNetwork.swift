/// The links between simulated ranks: transfers that start when both ends are there and the connections on their way are
/// free, in the order in which they could have started; of those at one time each rank's first message comes first, then
/// each rank's second.
///
/// A rank sends one message at a time and receives one at a time within its node, and one of each to and from other nodes,
/// since what joins nodes is another device; what leaves a node or enters it does so one after the other, too, where the node
/// has a rate of its own.
final class VirtualNetwork {
  /// A message from one rank to another, or a collective operation.
  final class Message {
    /// When the first of its ends was there.
    let posted: Double
    /// When it is through: known once it is on its way.
    fileprivate(set) var end: Double?
    /// Ranks that wait for it.
    var waiting: [VirtualRank] = []
    /// The message's number among those that its sender has sent.
    var number = 0
    fileprivate var way = Way()

    init(posted: Double) { self.posted = posted }

    /// Tells whoever waits when it is through.
    func settle(at time: Double) {
      end = time
      for rank in waiting { rank.resume(at: time) }
      waiting = []
    }
  }

  /// The connections that a message occupies.
  struct Way {
    var source = 0
    var destination = 0
    var isBetweenNodes = false
    var latencySeconds = 0.0
    /// That each of the two ranks is busy with it, and each of the two nodes, where these have a rate of their own.
    var rankSeconds = 0.0
    var nodeSeconds: Double?
    var sourceNode = 0
    var destinationNode = 0

    /// The connections of the two ranks that it takes.
    fileprivate var sender: Int { 2 * source + (isBetweenNodes ? 1 : 0) }
    fileprivate var receiver: Int { 2 * destination + (isBetweenNodes ? 1 : 0) }
  }

  private struct Route: Hashable {
    let source, destination: Int
    let isBetweenNodes: Bool
  }

  /// Messages of one route that may start: the first of them can be next.
  private final class Queue {
    let route: Route
    private var messages: ArraySlice<(message: Message, arrival: Int)> = []

    init(_ route: Route) { self.route = route }

    var isEmpty: Bool { messages.isEmpty }
    /// Counted over all routes.
    var firstArrival: Int { messages[messages.startIndex].arrival }
    var firstWay: Way { messages[messages.startIndex].message.way }

    func append(_ message: Message, _ arrival: Int) { messages.append((message, arrival)) }
    func removeFirst() -> Message { messages.removeFirst().message }
  }

  private struct Event {
    let time: Double
    let messageNumber: Int
    let number: Int
    /// One that may start now; nil: a connection is free again.
    let message: Message?
  }

  private var events: [Event] = []
  private var eventCount = 0
  private var arrivals = 0
  private var queues: [Route: Queue] = [:]
  /// Queues that are not empty.
  private var waiting: [Queue] = []
  /// Times until which each rank's connections are busy, within its node, then to other nodes.
  private var sendingUntil, receivingUntil: [Double]
  private var leavingUntil, enteringUntil: [Double]

  init(ranks: Int, nodes: Int) {
    sendingUntil = Array(repeating: 0, count: 2 * ranks)
    receivingUntil = sendingUntil
    leavingUntil = Array(repeating: 0, count: nodes)
    enteringUntil = leavingUntil
  }

  /// When something happens next.
  var nextTime: Double? { events.first?.time }

  /// Lets a message start at a time that is not past, as soon as its way is free.
  func add(_ message: Message, _ way: Way, at time: Double) {
    message.way = way
    push(time, message)
  }

  /// Processes the next events: all that happen at one time.
  func step() {
    guard let time = nextTime else { return }
    while nextTime == time {
      if let message = pop().message { enqueue(message) }
    }
    while let index = next(time) {
      let queue = waiting[index]
      start(queue.removeFirst(), time)
      if queue.isEmpty {
        waiting.swapAt(index, waiting.count - 1)
        waiting.removeLast()
      }
    }
  }

  private func enqueue(_ message: Message) {
    let route = Route(
      source: message.way.source, destination: message.way.destination, isBetweenNodes: message.way.isBetweenNodes)
    let queue = queues[route] ?? Queue(route)
    queues[route] = queue
    if queue.isEmpty { waiting.append(queue) }
    arrivals += 1
    queue.append(message, arrivals)
  }

  /// Which queue the first message is in that can start now.
  private func next(_ time: Double) -> Int? {
    var best: Int?
    var arrival = Int.max
    for (index, queue) in waiting.enumerated() where isFree(queue, time) && queue.firstArrival < arrival {
      best = index
      arrival = queue.firstArrival
    }
    return best
  }

  private func isFree(_ queue: Queue, _ time: Double) -> Bool {
    let way = queue.firstWay
    guard sendingUntil[way.sender] <= time, receivingUntil[way.receiver] <= time else { return false }
    if way.nodeSeconds == nil { return true }
    return leavingUntil[way.sourceNode] <= time && enteringUntil[way.destinationNode] <= time
  }

  private func start(_ message: Message, _ time: Double) {
    let way = message.way
    sendingUntil[way.sender] = time + way.rankSeconds
    receivingUntil[way.receiver] = time + way.rankSeconds
    if way.rankSeconds > 0 { push(time + way.rankSeconds, nil) }
    if let seconds = way.nodeSeconds {
      leavingUntil[way.sourceNode] = time + seconds
      enteringUntil[way.destinationNode] = time + seconds
      if seconds > 0 { push(time + seconds, nil) }
    }
    message.settle(at: time + way.latencySeconds + max(way.rankSeconds, way.nodeSeconds ?? 0))
  }

  // MARK: Events, the next first: a binary heap

  private func isBefore(_ a: Int, _ b: Int) -> Bool {
    (events[a].time, events[a].messageNumber, events[a].number)
      < (events[b].time, events[b].messageNumber, events[b].number)
  }

  private func push(_ time: Double, _ message: Message?) {
    events.append(Event(time: time, messageNumber: message?.number ?? 0, number: eventCount, message: message))
    eventCount += 1
    var child = events.count - 1
    while child > 0, isBefore(child, (child - 1) / 2) {
      events.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private func pop() -> Event {
    events.swapAt(0, events.count - 1)
    let first = events.removeLast()
    var parent = 0
    while true {
      var next = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < events.count && isBefore(child, next) { next = child }
      if next == parent { return first }
      events.swapAt(parent, next)
      parent = next
    }
  }
}
