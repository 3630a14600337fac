package main

// messageMutants are about what is in a message, and in its task.
func messageMutants() []mutant {
	return []mutant{
		{
			name: "task-id", without: "a request that is repeated queues two tasks",
			edits: []edit{
				{"tasks/sms_code.go", "\t\tasynq.TaskID(code.ID),\n", ""},
			},
			pkg: "tasks", tests: []string{"TestEnqueuer_puts_a_task_there_once"},
		},
		{
			name: "sealed-number", without: "the queue shows numbers",
			edits: []edit{
				{"tasks/sms_code.go", "Sealed: sealed, ", "Sealed: sealed[:0] + code.To.Reveal(), "},
			},
			pkg: "tasks", tests: []string{"TestEnqueuer_leaves_neither_number_nor_code_in_redis"},
		},
		{
			name: "sealed-place", without: "a sealed number is opened in another message's place",
			edits: []edit{
				{"secrets/seal.go", `[]byte(sub.id+"\x00"+context)`, "[]byte(sub.id)"},
				{"secrets/seal.go", `[]byte(id+"\x00"+context)`, "[]byte(id)"},
			},
			pkg: "secrets", tests: []string{"TestKeys_Open_refuses_what_was_moved_or_changed"},
		},
		{
			name: "mail-html", without: "a user name is HTML in mails",
			edits: []edit{
				{"tasks/templates.go", `htmltemplate "html/template"`, `htmltemplate "text/template"`},
			},
			pkg: "tasks", tests: []string{"TestMails_escapes_what_people_chose"},
		},
		{
			name: "mail-headers", without: "a subject with a line break adds headers",
			edits: []edit{
				{
					"providers/smtp/message.go",
					"case strings.ContainsAny(email.Subject+email.MessageID, \"\\r\\n\\x00\"):\n\t\treturn nil, errHeader\n\t",
					"",
				},
			},
			pkg: "providers/smtp", tests: []string{"TestClient"},
		},
		{
			name: "mail-unwanted", without: "a server that refused a recipient and wants the mail gets another on that connection",
			edits: []edit{
				{"providers/smtp/conn.go", "ReadResponse(354); !refused(err) {", "ReadResponse(354); err != nil && !refused(err) {"},
			},
			pkg: "providers/smtp", tests: []string{"TestConn_pipelined_failures"},
		},
		{
			name: "mail-late", without: "a mail begins however late it got a connection",
			edits: []edit{
				{"providers/smtp/pool.go", "time.Until(end)/2)", "time.Until(end))"},
			},
			pkg: "providers/smtp", tests: []string{"TestPool_begins_no_mail_late"},
		},
		{
			name: "sms-purpose", without: "every SMS goes out in the template that names no purpose",
			edits: []edit{
				{"tasks/sms_code.go", "Purpose: p.Purpose, Code: code, TTL:", "Code: code, TTL:"},
			},
			pkg: "app", tests: []string{"TestSMS_say_what_their_code_is_for"},
		},
	}
}
