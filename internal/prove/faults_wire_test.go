package prove_test

// What passes on the wire when these things are done, and at no other time on the same process's connections
// to the same store or vendor.
const (
	issuing      = ":pause\r\n"                // an API: the script that spends the number's limits and writes the code
	queueingSMS  = "asynq:{sms}:pending\r\n"   // an API; workers look there all the time
	queueingMail = "asynq:{email}:pending\r\n" // the same
	anSMSTask    = "sms:code"                  // in the answer to a worker that takes it off the queue
	aMailTask    = "email:activation"          // the same
	claimingSMS  = ":outcomes\r\n$44\r\n"      // a worker: the id of the code is the first argument after the keys
	recordingSMS = "\r\n$4\r\nsent\r\n"        // a worker: that a vendor took the code
	looking      = "\r\nasynq:{sms}:\r\n"      // a worker's reaper at a task that is active for long
	putBack      = ":again"                    // in the answer with a task that a reaper has put back
	doneSMS      = "asynq:{sms}:processed:"    // a worker's acknowledgement to the queue
	doneMail     = "asynq:{email}:processed:"  // the same

	committing = "COMMIT\x00" // an API: an account with its mail

	// Statements are prepared, so that only their arguments pass: for mails these are arrays, of one element here.
	claimingMail  = "\x00\x04\x00\x00\x00\x28{\"" // a worker: how many arguments there are, and the length of the first, an id
	recordingMail = `{"sent"}`                    // a worker: that the server took the mail

	sending = "POST /" // a worker to either SMS vendor
)
