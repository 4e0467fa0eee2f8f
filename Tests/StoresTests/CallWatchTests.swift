import Basics
import Synchronization
import Testing

@testable import Stores

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct CallWatchTests {
  private final class Flag: Sendable {
    private let isUp = Atomic(false)
    func raise() { isUp.store(true, ordering: .relaxed) }
    var isRaised: Bool { isUp.load(ordering: .relaxed) }
  }

  /// Only a call that computes for longer than it may is ended, whatever time passes.
  @Test func callsThatComputeWithoutEndAreFound() throws {
    let watch = try #require(CallWatch(intervalSeconds: 0.02))
    let flag = Flag()
    // Waiting takes no time of the processor.
    watch.watching(limitSeconds: 0.1, excess: { flag.raise() }) { _ = usleep(250_000) }
    #expect(!flag.isRaised)
    let start = monotonicSeconds()
    watch.watching(limitSeconds: 0.1, excess: { flag.raise() }) {
      while !flag.isRaised, monotonicSeconds() - start < 20 {}
    }
    #expect(flag.isRaised)
  }
}
