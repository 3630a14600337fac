package prove_test

// What passes on the wire when these things are done, and at no other time on the same process's connections
// to the same store or vendor.
const (
	issuing      = ":pause\r\n"                // an API: the script that spends the number's limits and writes the code
	queueingSMS  = "asynq:{sms}:pending\r\n"   // an API; workers look there all the time
	queueingMail = "asynq:{email}:pending\r\n" // the same
	anSMSTask    = "sms:code"                  // in the answer to a worker that takes it off the queue
	aMailTask    = "email:activation"          // the same
	claimingSMS  = ":current:\r\n"             // a worker
	recordingSMS = "\r\n$4\r\nsent\r\n"        // a worker: that a vendor took the code
	looking      = "\r\nasynq:{sms}:\r\n"      // a worker's reaper at a task that is active for long
	putBack      = ":again-"                   // in the answer with a task that a reaper has put back
	doneSMS      = "asynq:{sms}:processed:"    // a worker's acknowledgement to the queue
	doneMail     = "asynq:{email}:processed:"  // the same

	committing    = "COMMIT\x00"                     // an API: an account with its mail
	claimingMail  = "set state = 'sending', attempt" // a worker
	recordingMail = "lease_until = case "            // a worker: how an attempt to send a mail ended

	sending = "POST /" // a worker to either SMS vendor
)
