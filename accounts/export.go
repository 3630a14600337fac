package accounts

import (
	"context"
	"time"

	"usher/audit"
)

// Export is what is known of a person, as the person may have it.
type Export struct {
	ExportedAt time.Time         `json:"exported_at"`
	Account    ExportedAccount   `json:"account"`
	Consents   []Consent         `json:"consents"`
	Messages   []ExportedMessage `json:"messages"` // the newest, at most [ExportMost]
	Audit      []audit.Record    `json:"audit"`    // what the person has done, likewise
}

// ExportMost bounds each list of an export.
const ExportMost = 1000

// ExportedAccount is an account with its contacts in full.
type ExportedAccount struct {
	ID            string    `json:"id"`
	Username      string    `json:"username"`
	Mobile        string    `json:"mobile"`
	Email         string    `json:"email"`
	PendingMobile string    `json:"pending_mobile,omitempty"`
	PendingEmail  string    `json:"pending_email,omitempty"`
	HasPassword   bool      `json:"has_password"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
	SeenAt        time.Time `json:"seen_at,omitzero"`
	DeleteAt      time.Time `json:"delete_at,omitzero"`
}

// ExportedMessage is a message to the person.
type ExportedMessage struct {
	ID          string    `json:"id"`
	Channel     string    `json:"channel"`
	Purpose     string    `json:"purpose"`
	To          string    `json:"to"` // masked, as it is stored
	State       string    `json:"state"`
	CreatedAt   time.Time `json:"created_at"`
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
}

// Export returns what is known of the account, except its sessions, which are in another store. The caller has asked for the
// owner's proof, see [Service.ConfirmOwner].
func (s *Service) Export(ctx context.Context, a Account) (Export, error) {
	export, err := s.Store.Export(ctx, a, ExportMost)
	if err != nil {
		return Export{}, err
	}
	export.ExportedAt = s.Now().UTC()
	export.Account = ExportedAccount{
		ID: a.ID, Username: a.Username, Mobile: a.Mobile.E164(), Email: a.Email.Reveal(),
		PendingMobile: a.PendingMobile.E164(), PendingEmail: a.PendingEmail.Reveal(), HasPassword: a.HasPassword(),
		CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt, SeenAt: a.SeenAt, DeleteAt: a.DeleteAt,
	}
	return export, nil
}
