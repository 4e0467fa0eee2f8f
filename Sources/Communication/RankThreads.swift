import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// Calls `body` with 0 … count − 1, each on a thread of its own with room for deep calls, and returns when all have returned.
public func runOnThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
  var threads: [pthread_t] = []
  for index in 0..<count { threads.append(try RankThread(index, body).start()) }
  for thread in threads { pthread_join(thread, nil) }
}

private final class RankThread {
  private let index: Int
  private let body: @Sendable (Int) -> Void

  init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) {
    self.index = index
    self.body = body
  }

  func start() throws -> pthread_t {
    var thread = pthread_t()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setstacksize(&attributes, 8 << 20)
    let status = pthread_create(
      &thread, &attributes,
      { argument in
        let own = Unmanaged<RankThread>.fromOpaque(argument!).takeRetainedValue()
        own.body(own.index)
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    pthread_attr_destroy(&attributes)
    if status != 0 { throw JigsawError("ranks", "can't start a thread (\(Files.reason(status)))") }
    return thread
  }
}
