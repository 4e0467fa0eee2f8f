#if canImport(Glibc)
  import Glibc
#endif

/// The machine as the operating system describes it.
public enum Machine {
  /// Bytes that processes can still take without swapping; nil when unknown.
  public static var availableMemory: Int? { memory("MemAvailable") }

  /// Bytes of memory that the machine has; nil when unknown.
  public static var totalMemory: Int? { memory("MemTotal") }

  private static func memory(_ name: String) -> Int? {
    guard let text = try? readVirtual("/proc/meminfo"),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("\(name):") }),
      let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
    else { return nil }
    return kibibytes * 1_024
  }

  /// Highest resident memory of this process so far, bytes. Not `getrusage`'s: that counts the program that started this
  /// one, too.
  public static var peakResidentMemory: Int {
    if let text = try? readVirtual("/proc/self/status"),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
      let kibibytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({ Int($0) })
    {
      return kibibytes * 1_024
    }
    return usage.ru_maxrss * 1_024
  }

  private static var usage: rusage {
    var usage = rusage()
    getrusage(0, &usage)  // RUSAGE_SELF, which Swift imports as another type
    return usage
  }

  /// Pages that this process has taken from the system so far without reading them from a disk.
  public static var pageFaults: Int { usage.ru_minflt }

  /// Time that processors have spent on this process so far, all threads and the system's work for them.
  public static var processorSeconds: Double {
    let usage = usage
    return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
      + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6
  }

  /// Resident memory of this process now, bytes; 0 when unknown.
  public static var residentMemory: Int {
    let fields = (try? readVirtual("/proc/self/statm"))?.split(separator: " ") ?? []
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
  }

  /// Bytes of the first processor's cache for data; nil when unknown.
  public static func cacheSize(level: Int) -> Int? {
    for index in 0..<8 {
      let folder = "/sys/devices/system/cpu/cpu0/cache/index\(index)"
      func field(_ name: String) -> Substring? {
        (try? readVirtual("\(folder)/\(name)"))?.split(separator: "\n").first
      }
      guard field("level") == "\(level)", field("type") != "Instruction", let size = field("size"),
        size.hasSuffix("K"), let kibibytes = Int(size.dropLast())
      else { continue }
      return kibibytes * 1_024
    }
    return nil
  }

  public static var processorName: String {
    guard let text = try? readVirtual("/proc/cpuinfo"),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("model name") }),
      let colon = line.firstIndex(of: ":")
    else { return "unknown" }
    return String(line[line.index(after: colon)...].drop(while: { $0 == " " }))
  }

  public static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, 255) == 0 else { return "unknown" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Seconds since 1970.
  public static var unixSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// Files of /proc have no size that could be asked before.
  static func readVirtual(_ path: String) throws -> String {
    guard let file = fopen(path, "r") else { throw JigsawError(path, "can't open this file (\(Files.reason()))") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while true {
      let n = fread(&buffer, 1, buffer.count, file)
      if n == 0 { break }
      bytes += buffer[..<n]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
