import Execution

extension Activation: DistributedOperation {}
extension Gate: DistributedOperation {}
