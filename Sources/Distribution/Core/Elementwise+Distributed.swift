import Execution

// Operations that treat every element by itself: their `run(on: some ExecutingOperations)` serves one rank and many.

extension AddScaled: DistributedOperation {}
extension Reshape: DistributedOperation {}
extension ZeroFields: DistributedOperation {}
