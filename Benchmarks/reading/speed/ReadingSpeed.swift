import Basics
import Datasets
import Stores

#if canImport(Glibc)
  import Glibc
#endif

/// Reads samples of a store of Benchmarks/reading: `reading-speed arrays|fields|points STORE THREADS`. Prints seconds
/// and processor seconds per sample, the first not counted, a checksum of all samples (the sum of the numbers' bit patterns), and the peak of resident
/// memory. `arrays` reads into memory as the arrays lie in the store, as other libraries do; `fields` makes of them what
/// training starts from: [field, latitude, longitude] from north to south, every value checked to be a number; `points` reads the
/// points of the second of four ranks from an Anemoi dataset, all variables, as a rank of a domain axis of four does.
///
/// `reading-speed open STORE` opens it again and again, with headers or metadata and the coordinates of its fields, and prints the processor
/// seconds of each time.
///
/// `reading-speed document FILE` parses a JSON document again and again and prints the processor seconds of each time.
@main struct ReadingSpeed {
  static func main() throws {
    let arguments = CommandLine.arguments
    if arguments.count == 3, arguments[1] == "document" { return try parse(arguments[2]) }
    if arguments.count == 3, arguments[1] == "open" { return try open(arguments[2]) }
    guard arguments.count == 4, let threads = Int(arguments[3]), threads > 0 else {
      print(
        "usage: reading-speed arrays|fields|points STORE THREADS, reading-speed open STORE, reading-speed document FILE"
      )
      exit(64)
    }
    let reader: any SampleReader =
      switch arguments[1] {
      case "fields": try FieldsReader(arguments[2], threads: threads)
      case "points": try PointsReader(arguments[2])
      default: try ArraysReader(arguments[2], threads: threads)
      }
    var seconds: [Double] = []
    var processor: [Double] = []
    var checksum: UInt64 = 0
    for time in 0..<reader.times {
      let (start, used) = (monotonicSeconds(), Machine.processorSeconds)
      let numbers = try reader.read(time)
      seconds.append(monotonicSeconds() - start)
      processor.append(Machine.processorSeconds - used)
      for value in numbers { checksum &+= UInt64(value.bitPattern) }
    }
    func list(_ values: [Double]) -> String { values.dropFirst().map { String($0) }.joined(separator: ", ") }
    print(
      "{\"seconds\": [\(list(seconds))], \"processor\": [\(list(processor))], \"checksum\": \(checksum), \"bytes\": \(reader.count * 4), "
        + "\"peak\": \(Machine.peakResidentMemory)}")
  }

  private static func open(_ path: String) throws {
    let seconds = try (0..<9).map { _ in
      let used = Machine.processorSeconds
      _ = try GriddedStore(openStore(path))
      return Machine.processorSeconds - used
    }
    print("\(seconds)")
  }

  private static func parse(_ path: String) throws {
    let bytes = try Files.read(path)
    let seconds = try (0..<9).map { _ in
      let used = Machine.processorSeconds
      _ = try JSONValue(parsing: bytes, place: path)
      return Machine.processorSeconds - used
    }
    print("\(seconds)")
  }
}

private protocol SampleReader {
  var times: Int { get }
  /// Numbers of a sample.
  var count: Int { get }
  func read(_ time: Int) throws -> UnsafeMutableBufferPointer<Float>
}

/// Arrays as they are stored, one after the other in memory that is used again, chunk by chunk on several threads.
private final class ArraysReader: SampleReader {
  private struct Job {
    let name: String
    /// Of one time.
    let shape, chunk: [Range<Int>]
    /// Of the array's first number.
    let start: Int
  }

  private struct Target: @unchecked Sendable {
    let pointer: UnsafeMutablePointer<Float>
  }

  private let store: any ArrayStore
  private let workers: WorkerPool
  private let scratches: ScratchStack
  private let jobs: [Job]
  private let target: Target
  let times, count: Int

  init(_ path: String, threads: Int) throws {
    store = try openStore(path)
    workers = WorkerPool(threads: threads - 1)
    scratches = ScratchStack(limit: threads)
    var jobs: [Job] = []
    var end = 0
    var times = 0
    for array in store.arrays.values.sorted(by: { $0.name < $1.name }) where array.shape.count > 1 {
      times = array.shape[0]
      let shape = [0..<1] + array.shape.dropFirst().map { 0..<$0 }
      var boxes: [[Range<Int>]] = [[]]
      for (extent, chunk) in zip(shape, array.chunks ?? array.shape) {
        boxes = boxes.flatMap { box in
          stride(from: 0, to: extent.count, by: chunk).map { box + [$0..<min(extent.count, $0 + chunk)] }
        }
      }
      jobs += boxes.map { Job(name: array.name, shape: shape, chunk: $0, start: end) }
      end += shape.reduce(1) { $0 * $1.count }
    }
    func size(_ job: Job) -> Int { job.chunk.reduce(1) { $0 * $1.count } }
    self.jobs = jobs.sorted { size($0) > size($1) }
    (self.times, count) = (times, end)
    target = Target(pointer: UnsafeMutablePointer<Float>.allocate(capacity: end))
  }

  func read(_ time: Int) throws -> UnsafeMutableBufferPointer<Float> {
    try workers.tryRun(jobs.count) { [jobs, store, scratches, target] index in
      let job = jobs[index]
      try scratches.with { scratch in
        let box = [time..<time + 1] + job.chunk.dropFirst()
        if job.chunk == job.shape {
          return try store.read(job.name, box, scratch, into: target.pointer + job.start)
        }
        try store.read(job.name, ArrayPart(box), scratch) {
          $0.copy(to: target.pointer + job.start, holding: [time..<time + 1] + job.shape.dropFirst())
        }
      }
    }
    return UnsafeMutableBufferPointer(start: target.pointer, count: count)
  }
}

/// Fields as training wants them.
private final class FieldsReader: SampleReader {
  private let dataset: FieldDataset
  private let planes: UnsafeMutableBufferPointer<Float>
  var times: Int { dataset.times.count }
  var count: Int { planes.count }

  init(_ path: String, threads: Int) throws {
    let store = try openStore(path)
    let levels = try store.read("level").doubles
    let names = store.arrays.values.filter { $0.shape.count > 2 }.map(\.name).sorted()
    dataset = try FieldDataset(
      sources: [SourceDescription(path: path)], variables: names, levelsHPa: levels, threads: threads)
    planes = .allocate(capacity: dataset.channels.count * dataset.grid.count)
  }

  func read(_ time: Int) throws -> UnsafeMutableBufferPointer<Float> {
    if let start = planes.baseAddress { try dataset.readChecked(time: time, into: start) }
    return planes
  }
}

/// A quarter of the points of every variable of an Anemoi dataset, one thread.
private final class PointsReader: SampleReader {
  private let dataset: AnemoiDataset
  private let points: Range<Int>
  private let values: UnsafeMutableBufferPointer<Float>
  var times: Int { dataset.dates.count }
  var count: Int { values.count }

  init(_ path: String) throws {
    dataset = try AnemoiDataset(openStore(path))
    let total = dataset.points.count
    points = total / 4..<total / 2
    values = .allocate(capacity: dataset.variables.count * points.count)
  }

  func read(_ time: Int) throws -> UnsafeMutableBufferPointer<Float> {
    guard let start = values.baseAddress else { return values }
    let variables = Array(dataset.variables.indices)
    let wanted = WantedPart(dates: [time], variables: variables, member: 0, points: points)
    try dataset.read(wanted) { _, variable in start + variable * self.points.count }
    return values
  }
}
